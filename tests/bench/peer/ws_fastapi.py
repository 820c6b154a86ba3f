"""The usual way in Python: a list of connections, and send_text to one after the other. uvicorn serves it; PUBLISH is the Unix
socket that lines come over."""
import asyncio
import os

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
_active = []


@app.websocket("/{path:path}")
async def subscriber(socket: WebSocket):
    await socket.accept()
    _active.append(socket)
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        pass
    finally:
        _active.remove(socket)


async def publisher(reader, writer):
    while line := await reader.readline():
        text = line[:-1].decode()
        for socket in list(_active):
            await socket.send_text(text)
    writer.close()


@app.on_event("startup")
async def listen():
    app.state.publish = await asyncio.start_unix_server(publisher, os.environ["PUBLISH"], limit=1 << 20)
