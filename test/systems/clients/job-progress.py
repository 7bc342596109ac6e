"""System E: waits for a job and prints each message as a line. Usage: job-progress.py URL JOB_ID"""

import asyncio
import json
import sys

import websockets


async def watch(url, job_id):
    async with websockets.connect(url) as socket:
        await socket.send(json.dumps({"type": "join_job", "job_id": job_id}))
        # The old gateway did not confirm a join: a pong, which comes after it, does.
        await socket.send(json.dumps({"type": "ping"}))
        async for text in socket:
            print(text, flush=True)
            if json.loads(text)["type"] in ("job_completed", "job_error"):
                await socket.send(json.dumps({"type": "leave_job", "job_id": job_id}))
                return


asyncio.run(watch(sys.argv[1], sys.argv[2]))
