"""The tables that a message touches, as SQLAlchemy sees them (migrations/postgres has the columns)."""
from sqlalchemy import BigInteger, Column, Float, Integer, Text
from sqlalchemy.orm import declarative_base

Base = declarative_base()


class Token(Base):
    __tablename__ = "tokens"
    id = Column(Text, primary_key=True)
    kind = Column(Text, nullable=False)
    scopes = Column(Text, nullable=False)
    hash = Column(Text, nullable=False)
    created_at = Column(BigInteger, nullable=False)
    revoked_at = Column(BigInteger)


class User(Base):
    __tablename__ = "users"
    id = Column(Text, primary_key=True)
    external_id = Column(Text, unique=True)
    locale = Column(Text)
    name = Column(Text)
    created_at = Column(BigInteger, nullable=False)
    updated_at = Column(BigInteger, nullable=False)


class Dialog(Base):
    __tablename__ = "dialogs"
    id = Column(Text, primary_key=True)
    user_id = Column(Text, nullable=False)
    channel = Column(Text, nullable=False)
    status = Column(Text, nullable=False)
    reset_version = Column(Integer, nullable=False)
    state = Column(Text)
    version = Column(BigInteger, nullable=False)
    created_at = Column(BigInteger, nullable=False)
    last_message_at = Column(BigInteger, nullable=False)
    __mapper_args__ = {"version_id_col": version}  # counts up by itself


class Message(Base):
    __tablename__ = "messages"
    dialog_id = Column(Text, primary_key=True)
    id = Column(Text, primary_key=True)
    reset_version = Column(Integer, nullable=False)
    sender_type = Column(Text, nullable=False)
    payload = Column(Text, nullable=False)
    trace_id = Column(Text, nullable=False)
    created_at = Column(BigInteger, nullable=False)


class Inbox(Base):
    __tablename__ = "inbox"
    source = Column(Text, primary_key=True)
    key = Column(Text, primary_key=True)
    dialog_id = Column(Text, nullable=False)
    state = Column(Text, nullable=False)
    body_hash = Column(Text, nullable=False)
    response = Column(Text)
    trace_id = Column(Text, nullable=False)
    received_at = Column(BigInteger, nullable=False)


class PluginCall(Base):
    __tablename__ = "plugin_calls"
    id = Column(Text, primary_key=True)
    plugin_id = Column(Text, nullable=False)
    dialog_id = Column(Text, nullable=False)
    attempt = Column(Integer, nullable=False)
    status = Column(Text, nullable=False)
    latency_ms = Column(Float, nullable=False)
    trace_id = Column(Text, nullable=False)
    started_at = Column(BigInteger, nullable=False)
    finished_at = Column(BigInteger, nullable=False)


class AuditLog(Base):
    __tablename__ = "audit_logs"
    id = Column(Text, primary_key=True)
    source = Column(Text, nullable=False)
    action = Column(Text, nullable=False)
    severity = Column(Text, nullable=False)
    trace_id = Column(Text, nullable=False)
    details = Column(Text)
    created_at = Column(BigInteger, nullable=False)
