"""The HTTP server: connection limits, routing, request bodies.

app.py          The ASGI application: request to handler, refusals to answers
connections.py  All connections: how many there may be, which one makes room, and who was too slow
lanes.py        Work that may take long waits in lanes of its own, so that all other requests find a free thread
origin.py       Under which names this Hub may be asked, and by which pages
protocol.py     The HTTP protocol of uvicorn with bounds, and a way past its parser for large bodies
receiving.py    How a body comes in: of which kind, up to what is allowed, into memory or into a file
routes.py       Every request that this Hub takes: its route, what its caller needs to be allowed, and who answers
serve.py        Runs the Hub on uvicorn until it is told to stop
traffic.py      Bodies under way: how many of one caller, how much memory they take, whether the disk has room
"""
