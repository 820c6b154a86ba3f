"""The peer of tests/bench/api.py: the same endpoints as a good FastAPI shop would write them, on asyncpg, ujson and uvloop.

    PEER_DSN=...               PostgreSQL, with schema.sql in it
    PEER_KEYS=lookup|cached    is the key looked up at every request (default), or remembered for 30 s?
    PEER_NUMBERS=length|full   is a number's length checked (default), or the number by phonenumbers?
"""
import hashlib
import os
import time
from datetime import date, datetime, timedelta, timezone
from typing import Any, Dict, List, Optional

import asyncpg
import phonenumbers
import ujson
from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.responses import UJSONResponse
from pydantic import BaseModel, Field

REMEMBER_S = 30 if os.environ.get("PEER_KEYS") == "cached" else 0
FULL = os.environ.get("PEER_NUMBERS") == "full"
REGION = "IN"
BUCKETS = ("Before 09AM", "09AM-11AM", "11AM-01PM", "01PM-03PM", "03PM-05PM", "05PM-07PM", "After 7PM")

_CLIENT = """
select id, name, accountcode, did, phone_number, allocated_channels, rate_limit, callbackurl, is_active, status,
       created_at, updated_at
  from client where key_digest = $1
"""
_SUMMARY = """
select width_bucket(extract(hour from started_at at time zone 'Asia/Kolkata')::int, array[9, 11, 13, 15, 17, 19]) as bucket,
       count(*) as calls, sum(duration) as duration
  from cdr
 where client_id = $1 and started_at >= $2 and started_at < $3
 group by 1
"""

app = FastAPI(default_response_class=UJSONResponse)
known = {}  # digest of a key: until when, whose


class Client(BaseModel):
    id: int
    name: str
    accountcode: str
    did: str
    phone_number: str
    allocated_channels: int
    rate_limit: int
    callbackurl: str
    is_active: bool
    status: str
    created_at: datetime
    updated_at: datetime


class Entry(BaseModel):
    phone_number: str = Field(min_length=3, max_length=39)
    custom_data: Optional[Dict[str, Any]]


class Batch(BaseModel):
    batch_id: int
    data: List[Entry]


@app.on_event("startup")
async def connect():
    app.state.pool = await asyncpg.create_pool(os.environ["PEER_DSN"], min_size=4, max_size=10)


async def whose(x_api_key: str = Header(...)):
    digest = hashlib.sha256(x_api_key.encode()).digest()
    until, client = known.get(digest, (0, None))
    if until > time.monotonic():
        return client
    client = await app.state.pool.fetchrow(_CLIENT, digest)
    if client is None:
        raise HTTPException(401, "unknown key")
    if not client["is_active"]:
        raise HTTPException(403, "inactive client")
    if REMEMBER_S:
        known[digest] = (time.monotonic() + REMEMBER_S, client)
    return client


def e164_of(given):
    """A number's E.164, or None when it is none of its plan. With length checks alone: as it was given."""
    if not FULL:
        return given
    try:
        number = phonenumbers.parse(given, REGION)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def row_of(master, client, entry):
    return (master, client["id"], entry.phone_number, e164_of(entry.phone_number),
            None if entry.custom_data is None else ujson.dumps(entry.custom_data))


@app.get("/monitoring/health")
async def health():
    return {"status": "healthy"}


@app.get("/clients/me", response_model=Client)
async def me(client=Depends(whose)):
    return dict(client)


@app.post("/queues/insertdataincallqueue/")
async def insert(batch: Batch, client=Depends(whose)):
    async with app.state.pool.acquire() as db, db.transaction():
        master = await db.fetchval(
            "insert into queue_master (client_id, batch_id, total) values ($1, $2, $3) returning id",
            client["id"], batch.batch_id, len(batch.data))
        rows = [row for row in (row_of(master, client, entry) for entry in batch.data) if row[3]]
        await db.copy_records_to_table("queue_entry", records=rows, columns=(
            "queue_master_id", "client_id", "phone_number", "e164", "custom_data"))
    return {"message": "Queue data inserted successfully", "status": "success",
            "batch_id": batch.batch_id, "inserted_count": len(rows)}


@app.post("/queues/quickcall/")
async def quick_call(entry: Entry, client=Depends(whose)):
    async with app.state.pool.acquire() as db, db.transaction():
        master = await db.fetchval(
            "insert into queue_master (client_id, total) values ($1, 1) returning id", client["id"])
        call = await db.fetchval(
            "insert into queue_entry (queue_master_id, client_id, phone_number, e164, custom_data)"
            " values ($1, $2, $3, $4, $5) returning id", *row_of(master, client, entry))
    return {"message": "Call queued successfully", "status": "success", "call_id": call}


@app.get("/client-call-details/summary")
async def summary(start_date: date, end_date: date, client=Depends(whose)):
    midnight = datetime.min.time()
    zone = timezone(timedelta(hours=5, minutes=30))
    rows = await app.state.pool.fetch(
        _SUMMARY, client["id"], datetime.combine(start_date, midnight, zone),
        datetime.combine(end_date + timedelta(days=1), midnight, zone))
    answer = {label: {"calls": 0, "duration": 0} for label in BUCKETS}
    for row in rows:
        answer[BUCKETS[row["bucket"]]] = {"calls": row["calls"], "duration": row["duration"]}
    answer["Grand Total"] = {what: sum(bucket[what] for bucket in answer.values())
                             for what in ("calls", "duration")}
    return {"summary": answer}
