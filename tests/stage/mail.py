"""A mail server on loopback that keeps what it receives, and refuses what it is told to refuse."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class MailServer:
    """Speaks enough of RFC 5321. `refusal`: what RCPT is answered with, empty to accept."""

    refusal: str = ""
    port: int = 0
    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["MailServer"]:
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        while line := await reader.readline():
            command = line.decode().split(":")[0].split()[0].upper()
            match command:
                case "QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                case "RCPT" if self.refusal:
                    writer.write(f"{self.refusal}\r\n".encode())
                case "RCPT":
                    self.recipients.append(line.decode().split("<")[1].split(">")[0])
                    writer.write(b"250 ok\r\n")
                case "DATA":
                    writer.write(b"354 go on\r\n")
                    data = await reader.readuntil(b"\r\n.\r\n")
                    message = message_from_bytes(data[:-3], policy=policy.default)
                    assert isinstance(message, EmailMessage)
                    self.messages.append(message)
                    writer.write(b"250 taken\r\n")
                case _:
                    writer.write(b"250 ok\r\n")
        writer.close()
