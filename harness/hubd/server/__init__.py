"""HTTP: app, router, bodies.

admission.py  What is known before a body is received: who sends it, and how much of it they may send
app.py        The ASGI application: request to handler, refusals to answers
bodies.py     Request bodies on their way to a file: large ones pass by the HTTP parser
heads.py      The HTTP parser that uvicorn uses, with an end to how long the head of a request may grow
lanes.py      Work that may take long waits in lanes of its own, so that all other requests find a free thread
router.py     From the raw path of a request to its handler
serve.py      Runs the Hub on uvicorn until it is told to stop
"""
