"""The message path of seed 001's stack: FastAPI, SQLAlchemy's asynchronous Session over asyncpg, Redis.

For each message: token, idempotency by message_id, user, dialog, its state from Redis, a plugin in the process,
and in one transaction the inbox row, the dialog, two messages, the plugin call and two audit rows; then the state
with its TTL and the events go to Redis in one pipeline. The environment: DATABASE_URL, PARLEY_REDIS_URL.
"""
import hashlib
import hmac
import json
import os
import time
import uuid
from typing import Optional

import redis.asyncio as redis
from fastapi import Depends, FastAPI, Header, HTTPException, Path, Response
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import sessionmaker

from models import AuditLog, Dialog, Inbox, Message, PluginCall, Token, User
from schemas import DialogMessageCreateV1, DialogMessageResponseV1

engine = create_async_engine(
    os.environ["DATABASE_URL"].replace("postgres://", "postgresql+asyncpg://"), pool_size=16, max_overflow=0
)
Session = sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)
cache = redis.from_url(os.environ["PARLEY_REDIS_URL"], decode_responses=True)
app = FastAPI(docs_url=None, redoc_url=None)

STATE_TTL = 600
STREAM_LENGTH = 10000
TOKEN_TTL = 60
known_tokens = {}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def new_id() -> str:
    """UUIDv7: keys that grow."""
    value = (now_ms() << 80) | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) & ~(0x3 << 62) | (0x7 << 76) | (0x2 << 62)
    return str(uuid.UUID(int=value))


async def bot(x_bot_token: Optional[str] = Header(None)) -> str:
    """The bot's id. A token that was right is known for a while, as in Parley; its hash is SHA-256, not bcrypt."""
    if not x_bot_token or not x_bot_token.startswith("prl_bot_"):
        raise HTTPException(401, "token expected")
    digest = hashlib.sha256(x_bot_token.encode()).hexdigest()
    known = known_tokens.get(digest)
    if known and known[1] > time.monotonic():
        return known[0]
    token_id = x_bot_token.split("_")[2]
    async with Session() as session:
        token = await session.get(Token, token_id)
    if not token or token.revoked_at or not hmac.compare_digest(token.hash, digest):
        raise HTTPException(401, "unknown token")
    if "dialogs:write" not in json.loads(token.scopes):
        raise HTTPException(403, "scope dialogs:write expected")
    known_tokens[digest] = (token_id, time.monotonic() + TOKEN_TTL)
    return token_id


def echo(text: str, state: dict):
    """The plugin: the same that the load asks of Parley."""
    state = {**state, "count": state.get("count", 0) + 1}
    return text.partition(" ")[2], state


async def user_id_of(session: AsyncSession, ref, at: int) -> str:
    found = (await session.execute(select(User.id).where(User.external_id == ref.external_id))).scalar()
    if found:
        return found
    created = insert(User).values(
        id=new_id(), external_id=ref.external_id, locale=ref.locale, name=ref.name, created_at=at, updated_at=at
    )
    created = created.on_conflict_do_update(index_elements=[User.external_id], set_={"updated_at": at})
    return (await session.execute(created.returning(User.id))).scalar()


async def earlier_answer(session: AsyncSession, source: str, message: DialogMessageCreateV1, body_hash: str):
    row = await session.get(Inbox, (source, message.message_id))
    if row and row.body_hash != body_hash:
        raise HTTPException(409, "idempotency_mismatch")
    return row.response if row else None


def event(action: str, trace_id: str, invocation_id: str, at: int) -> AuditLog:
    return AuditLog(
        id=new_id(), source="echo", action=action, severity="info", trace_id=trace_id,
        details=json.dumps({"invocation_id": invocation_id}), created_at=at,
    )


@app.post("/api/v1/dialogs/{dialog_id}/messages", response_model=DialogMessageResponseV1)
async def add_message(
    message: DialogMessageCreateV1,
    dialog_id: str = Path(regex="^[A-Za-z0-9._:-]{1,64}$"),
    bot_id: str = Depends(bot),
):
    received, began, trace_id = now_ms(), time.perf_counter(), uuid.uuid4().hex
    source, body = "dialog:" + dialog_id, message.json()
    body_hash = hashlib.sha256(body.encode()).hexdigest()
    async with Session() as session:
        answered = await earlier_answer(session, source, message, body_hash)
        if answered:
            return Response(answered, media_type="application/json")
        user_id = await user_id_of(session, message.user, received)
        # Whoever comes second to a dialog waits for the first.
        dialog = await session.get(Dialog, dialog_id, with_for_update=True)
        if not dialog:
            dialog = Dialog(
                id=dialog_id, user_id=user_id, channel="api", status="active", reset_version=0, created_at=received
            )
            session.add(dialog)
        state = await cache.get("dialog:state:" + dialog_id) or dialog.state
        state = json.loads(state) if state else {}

        invocation_id, called = new_id(), time.perf_counter()
        text, own = echo(message.text, state.get("echo", {}))
        plugin_ms = (time.perf_counter() - called) * 1000
        finished = now_ms()
        state["echo"] = own
        dialog.state, dialog.last_message_at = json.dumps(state), received
        inbound_id, reply_id = new_id(), new_id()
        answer = DialogMessageResponseV1(
            dialog_id=dialog_id, message_id=message.message_id, status="answered",
            reset_version=dialog.reset_version, actions=[{"type": "send", "text": text}],
            reply_message_id=reply_id, text=text, plugin={"name": "echo", "version": "1.0.0"},
            latency_ms={"total": (time.perf_counter() - began) * 1000, "plugin": plugin_ms}, trace_id=trace_id,
        )
        reply = {"status": "answered", "plugin": "echo", "in_reply_to": inbound_id, "actions": answer.actions}
        about = {"dialog_id": dialog_id, "reset_version": dialog.reset_version, "trace_id": trace_id}
        response = answer.json()
        session.add_all([
            Inbox(
                source=source, key=message.message_id, dialog_id=dialog_id, state="done", body_hash=body_hash,
                response=response, trace_id=trace_id, received_at=received,
            ),
            Message(id=inbound_id, sender_type="user", payload=body, created_at=received, **about),
            Message(id=reply_id, sender_type="plugin", payload=json.dumps(reply), created_at=finished, **about),
            PluginCall(
                id=invocation_id, plugin_id="echo", dialog_id=dialog_id, attempt=1, status="ok",
                latency_ms=plugin_ms, trace_id=trace_id, started_at=received, finished_at=finished,
            ),
            event("plugin_invocation_started", trace_id, invocation_id, received),
            event("plugin_invocation_completed", trace_id, invocation_id, finished),
        ])
        try:
            await session.commit()
        except IntegrityError:
            # Somebody was faster with the same message, or to begin the dialog: the client asks again.
            raise HTTPException(409, "conflict")
    async with cache.pipeline(transaction=False) as pipe:
        pipe.set("dialog:state:" + dialog_id, dialog.state, ex=STATE_TTL)
        for name in ("plugin_invocation_started", "plugin_invocation_completed"):
            fields = {"event": name, "invocation_id": invocation_id, "trace_id": trace_id}
            pipe.xadd("plugin:invocations:echo", fields, maxlen=STREAM_LENGTH)
        await pipe.execute()
    return Response(response, media_type="application/json", headers={"X-Trace-Id": trace_id})
