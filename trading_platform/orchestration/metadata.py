"""How tables, counts and pictures are shown in Dagster."""

import base64
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import dagster as dg

from trading_platform.batch.plots import MAX_BYTES
from trading_platform.orchestration.lineage import COLUMN_SOURCES
from trading_platform.wire.lake_tables import Table
from trading_platform.wire.records import Schema

OWNERS = ["team:market-data"]

FRESHNESS = dg.FreshnessPolicy.time_window(warn_window=timedelta(days=5), fail_window=timedelta(days=8))
"""For what is made before every session: the longest closure does not alarm. Staleness before an open is a sensor's."""

_SAMPLE_SESSIONS = 30


def table_metadata(table: Table, root: str = "") -> dict[str, Any]:
    """Return the columns of an asset that is this table: names, types, meaning, and which columns they come from."""
    columns = [dg.TableColumn(one.name, str(one.dtype), description=one.about) for one in table.columns]
    shown: dict[str, Any] = {
        "dagster/table_name": table.name,
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "key": ", ".join(table.key),
    }
    if table.name in COLUMN_SOURCES:
        shown["dagster/column_lineage"] = column_lineage(table.name)
    return {**shown, "lake": root} if root else shown


def column_lineage(name: str) -> dg.TableColumnLineage:
    """Return from which columns of other assets the columns of a table come."""
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(asset, source) for asset, source in sources]
            for column, sources in COLUMN_SOURCES[name].items()
        }
    )


def record_metadata(schema: Schema, table: Table) -> dict[str, Any]:
    """Return the columns of packed rows; what the column of the same name means in the lake, it means here."""
    meanings = {one.name: one.about for one in table.columns}
    names = schema.dtype.names or ()
    columns = [dg.TableColumn(name, str(schema.dtype[name]), description=meanings.get(name)) for name in names]
    return {"dagster/column_schema": dg.TableSchema(columns=columns), "layout": f"{schema.name} {schema.version}"}


def written(rows: int, **facts: Any) -> dict[str, Any]:
    """Return the metadata of a materialisation: its row count and other facts."""
    return {"dagster/row_count": rows, **facts}


def tell(context: dg.AssetExecutionContext, session: date, metadata: Mapping[str, Any]) -> None:
    """Put metadata on the materialisation of one session: a run over several has one for each."""
    context.add_asset_metadata(metadata, partition_key=session.isoformat())


def picture(png: bytes) -> dg.MarkdownMetadataValue:
    """Show a PNG inside metadata, without a file or a server; one too large to travel is replaced by a sentence."""
    if len(png) > MAX_BYTES:
        return dg.MetadataValue.md(
            f"The picture has {len(png)} bytes, more than the {MAX_BYTES} that metadata may hold."
        )
    return dg.MetadataValue.md(f"![plot](data:image/png;base64,{base64.b64encode(png).decode('ascii')})")


def dates(sessions: list[date]) -> str:
    """Name sessions, the first and last of many."""
    if len(sessions) > _SAMPLE_SESSIONS:
        return f"{len(sessions)} from {sessions[0]} to {sessions[-1]}"
    return ", ".join(map(str, sessions)) or "none"


def facts(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts under names that metadata takes."""
    return {name.replace(" ", "_"): value for name, value in values.items()}
