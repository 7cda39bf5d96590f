"""Language models in this process: transformers loads and runs them, xgrammar holds them to JSON.

``loading`` finds and loads a model, ``decoding`` generates a batch under constraints, and ``model``
is the :class:`tools.models.chat.ChatModel` made of both.
"""
