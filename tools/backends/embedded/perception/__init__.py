"""Classical vision that measures people and things in surveillance video: CPU, no weights.

frames → :mod:`percepts` (foreground, flow, windows, silhouettes; cached by :mod:`store`) →
:mod:`detections` → :mod:`tracks` → :mod:`objects` (attributes, which :mod:`attributes` defines) →
:mod:`describing` and :mod:`wording` (observations, captions). :mod:`survey` learns a viewpoint's
geometry, :mod:`learning` its statistics; :mod:`captioner` is the port.
"""
