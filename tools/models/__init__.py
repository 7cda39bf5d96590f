"""Language models as captioner, verifier and planner, whatever runs them.

``chat`` is the seam; ``asking`` turns a prompt into a checked reply; ``chances`` reads scores from
token probabilities; ``captioner``, ``verifier`` and ``planner`` are the ports made of them;
``spending`` counts what they cost.
"""
