"""Models behind a server that speaks the OpenAI protocol: vLLM, and whatever else does.

``wire`` says what goes over it, ``patience`` when to wait, retry and give up, ``discovery`` finds
out what the server can do, ``client`` is the :class:`tools.models.chat.ChatModel` made of them.
"""
