"""HTTP: app, router, bodies.

admission.py    What is known before a body is received: its kind, and how large it may be
app.py          The ASGI application: request to handler, refusals to answers
bodies.py       Request bodies on their way to a file: large ones pass by the HTTP parser
connections.py  All connections: how many there may be, which one makes room, and who was too slow
heads.py        The HTTP parser that uvicorn uses, with bounds for size and time of what clients send
lanes.py        Work that may take long waits in lanes of its own, so that all other requests find a free thread
origin.py       Under which names this Hub may be asked, and by which pages
pace.py         How long a connection may make the Hub wait
receiving.py    How a body comes in: up to what is allowed and there is room for, into memory or into a file
router.py       From the raw path of a request to its handler
serve.py        Runs the Hub on uvicorn until it is told to stop
traffic.py      Bodies under way: how many of one caller, how much memory they take, whether the disk has room
"""
