"""What comes in and goes out, for Pydantic: the part of contract v1 that the load uses."""
from typing import Any, Dict, List, Optional

from pydantic import BaseModel, Field


class UserRef(BaseModel):
    external_id: str = Field(min_length=1, max_length=128)
    locale: Optional[str] = None
    name: Optional[str] = None

    class Config:
        extra = "forbid"


class DialogMessageCreateV1(BaseModel):
    user: UserRef
    type: str = Field(regex="^(text|command|callback|event)$")
    text: str = Field(max_length=16384)
    message_id: str = Field(min_length=1, max_length=64)

    class Config:
        extra = "forbid"


class PluginRef(BaseModel):
    name: str
    version: str


class Latency(BaseModel):
    total: float
    plugin: float


class DialogMessageResponseV1(BaseModel):
    dialog_id: str
    message_id: str
    status: str
    reset_version: int
    actions: List[Dict[str, Any]]
    reply_message_id: str
    text: str
    plugin: PluginRef
    latency_ms: Latency
    trace_id: str
