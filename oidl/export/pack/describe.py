"""A pack as text for people: its progress and its result. Pure."""

from oidl.export.left_out import left_out_lines, unfinished_lines
from oidl.export.pack.request import PackRequest, PackResult
from oidl.hints import command
from oidl.progress.format import duration, size
from oidl.text import counted, without_secrets


def pack_line(now: PackResult, elapsed_s: float) -> str:
    """The progress of a pack after `elapsed_s` seconds, in one line of under 80 characters."""
    if not now.images:
        return "choosing images"
    rate = now.packed_now / elapsed_s if elapsed_s else 0.0
    parts = [f"{now.packed:,} of {counted(now.images, 'image')} packed", f"{rate:.0f} images/s"]
    if rate and now.images > now.packed:
        parts.append(duration((now.images - now.packed) / rate))
    return " · ".join(parts)


def packed_text(result: PackResult, request: PackRequest) -> str:
    """The result in a few lines: the directory, the shards of each split, and what was left out."""
    state = ", complete already" if result.was_complete else ""
    lines = [f"{result.dest}: {request.format.name}, rendition {result.rendition}{state}"]
    for name, split in result.splits.items():
        shards = counted(split.shards, "shard")
        lines.append(f"  {name}: {counted(split.samples, 'image')} in {shards}, {size(split.bytes)}")
    if not result.kinds:
        lines.append(
            "  without boxes and labels, because none are loaded (see `oidl help annotations`); once they are, run "
            f"{command('pack', '--again')} with the same options"
        )
    if result.was_complete:
        lines.append(f"  by the sizes and dates of its shards; {command('verify')} reads them whole")
    if result.remade:
        were = "1 shard that was" if result.remade == 1 else f"{result.remade:,} shards that were"
        lines.append(f"  made again: {were} missing, or not as sealed")
    if result.uploaded_to:
        lines.append(f"  uploaded to {without_secrets(result.uploaded_to)}")
    lines += left_out_lines(result)
    if result.absent:
        lines.append(
            f"  left out: {counted(result.absent, 'image')} with missing or changed files, which will be fetched "
            f"again; run {command('run')}, then {command('pack', '--again')} with the same options"
        )
    else:
        lines += unfinished_lines(result, command("pack", "--again"))
    if result.was_complete and not result.absent:
        if result.files and result.files > result.images:
            lines.append(f"  the shards have {result.images:,} of the {result.files:,} images of this rendition")
        lines.append("  nothing to do; use --again to pack the images that are there now")
    return "\n".join(lines)
