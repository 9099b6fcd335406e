"""Two invented vendors, as tests write their files: a Spanish dialler, a messaging gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

#: Latin-1, semicolons, local time of Bogota, decimal comma, a code that nobody explained
DIALLER = {
    "table": "touches",
    "read": {"separator": ";", "encoding": "latin-1", "decimal": ","},
    "time_zone": "America/Bogota",
    "format": "%d/%m/%Y %H:%M:%S",
    "columns": {
        "customer_id": "CLIENTE",
        "started_at": ["FECHA", "HORA"],
        "outcome": "GESTIÓN",
        "duration_s": "DURACIÓN",
        "cost": "COSTO",
    },
    "constants": {"channel": "call_agent", "vendor": "Marcador Ñandú", "handled_by": "agent"},
    "codes": {
        "No contesta": "no_answer",
        "Promesa de pago": "promise",
        "Equivocado": "wrong_number",
        "No llamar más": "asked_to_stop",
        "Prueba": "skip",
    },
    "id_from": ["CLIENTE", "FECHA", "HORA"],
}
DIALLER_HEADER = "CLIENTE;NOMBRE;FECHA;HORA;GESTIÓN;DURACIÓN;COSTO"
DIALLER_ROWS = [
    'C1;"Pérez; Ana";02/03/2026;09:15:00;no contesta;12,5;0,35',
    'C1;"Pérez; Ana";02/03/2026;10:15:00; PROMESA  DE PAGO;121;1.234,50',
    "C2;Núñez;03/03/2026;11:00:00;Código raro;5;",
    "C3;Íñigo;03/03/2026;23:30:00;No llamar más;61;0,5",
    "C3;Íñigo;03/03/2026;23:31:00;Prueba;61;0,5",
]

#: receipts: several rows per message, opens by mail scanners among them
GATEWAY = {
    "table": "touches",
    "time_zone": "UTC",
    "columns": {
        "customer_id": "ref",
        "occurred_at": "ts",
        "event": "status",
        "template_id": "tpl",
    },
    "constants": {"channel": "email", "vendor": "gateway"},
    "codes": {
        "sent": "sent",
        "delivered": "delivered",
        "open": "opened",
        "open-proxy": {"outcome": "opened", "machine": True},
        "click": "clicked",
        "bounce": "bounced",
        "unsubscribe": "opted_out",
    },
    "id_from": ["message"],
}
GATEWAY_ROWS = [
    ("m1", "C1", "2026-02-20T14:00:00Z", "sent"),
    ("m1", "C1", "2026-02-20T14:00:05Z", "delivered"),
    ("m1", "C1", "2026-02-20T14:00:06Z", "open-proxy"),
    ("m2", "C2", "2026-02-20T14:00:00Z", "sent"),
    ("m2", "C2", "2026-02-20T14:00:04Z", "delivered"),
    ("m2", "C2", "2026-02-20T14:00:07Z", "open-proxy"),
    ("m2", "C2", "2026-02-20T18:30:00Z", "open"),
    ("m2", "C2", "2026-02-20T18:31:00Z", "click"),
    ("m3", "C3", "2026-02-20T14:00:00Z", "sent"),
    ("m3", "C3", "2026-02-20T14:00:02Z", "bounce"),
]


def dialler_file(path: Path, rows: list[str] | None = None) -> Path:
    """Write the dialler's file."""
    lines = [DIALLER_HEADER, *(DIALLER_ROWS if rows is None else rows)]
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode("latin-1"))
    return path


def gateway_frame(rows: list[tuple[str, ...]] | None = None) -> pd.DataFrame:
    """Return the gateway's rows."""
    frame = pd.DataFrame(
        GATEWAY_ROWS if rows is None else rows, columns=["message", "ref", "ts", "status"]
    )
    return frame.assign(tpl="reminder").astype("str")


def with_keys(mapping: dict[str, Any], **sections: Any) -> dict[str, Any]:
    """Return a mapping with some sections replaced; None takes one out."""
    return {k: v for k, v in {**mapping, **sections}.items() if v is not None}
