"""Making a rule book: from normal clips to voted rules, the held-out test and a calibration.

``inducing`` goes through the steps over footage in parts (``normal``), with what is asked of each
(``statements``), what was measured (``proposals``) or drafted (``drafts``), put to the vote, and
tried on what was held out (``heldout``). From captions alone: :mod:`tools.deduction.induction`.
"""
