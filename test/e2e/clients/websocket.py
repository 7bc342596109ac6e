"""Prints each message of a gateway as a line of JSON; comes back from where it was. Usage: websocket.py URL TOPIC..."""

import asyncio
import json
import sys

import websockets


async def follow(url, topics):
    positions = {}
    while True:
        try:
            async with websockets.connect(url) as socket:
                wanted = [{"topic": each, **since(positions.get(each))} for each in topics]
                await socket.send(json.dumps({"type": "subscribe", "id": 1, "subscriptions": wanted}))
                async for text in socket:
                    print(json.dumps(text), flush=True)
                    note(positions, json.loads(text))
        except (OSError, websockets.WebSocketException):
            await asyncio.sleep(0.1)


def since(position):
    return {} if position is None else {"since": position}


def note(positions, frame):
    for each in frame.get("results", [frame]):
        if "epoch" in each:
            at = positions.setdefault(each["topic"], {"offset": each["offset"]})
            at["epoch"] = each["epoch"]
    for each in frame.get("messages", [frame]):
        topic = each.get("topic", frame.get("topic"))
        if topic in positions and "timestamp" in each and "offset" in each:
            positions[topic]["offset"] = each["offset"]


asyncio.run(follow(sys.argv[1], sys.argv[2:]))
