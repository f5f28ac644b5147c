"""The progress and the findings of `oidl verify`, for people and as JSON. Pure."""

import json

from oidl.hints import command
from oidl.model import NOTES, PACK, REDO, REMOVE, Finding, Problem
from oidl.progress.format import duration
from oidl.progress.verify import VerifyStatistics
from oidl.text import counted

FAULTS: dict[Problem, str] = {
    Problem.MISSING: "a recorded file does not exist",
    Problem.WRONG_SIZE: "a file is longer or shorter than recorded",
    Problem.WRONG_MD5: "an original does not have its recorded MD5",
    Problem.DAMAGED: "a file cannot be decoded to its end, or its sample in a shard has another checksum",
    Problem.INCOMPLETE: "an image is done, but a file that its run should have written is not recorded",
    Problem.MISPLACED: "a row names a file that oidl did not write for its image; that file is left alone",
    Problem.WRONG_SHARD: "a complete shard is missing, or does not have its recorded size and SHA-256",
    Problem.WRONG_PACK: "a complete shard of a pack is missing, or does not have its recorded size and SHA-256",
    Problem.UNREADABLE: "a file cannot be read, or is not a regular file",
    Problem.ORPHAN: "a file is named as oidl names files, but the database does not know it",
    Problem.LEFTOVER: "a killed run left a temporary file",
    Problem.UNRECORDED: "the database does not know an original; a run that keeps originals uses it",
    Problem.FOREIGN: "a file in a directory of oidl has a name that oidl does not use",
}


def is_sound(found: VerifyStatistics, *, is_repaired: bool) -> bool:
    """Whether nothing is left to do: there were no problems, or all of them were removed just now."""
    passing = NOTES | REMOVE if is_repaired else NOTES
    return not any(count for fault, count in found.found.items() if fault not in passing)


def finding_line(finding: Finding) -> str:
    """One finding: the problem, the file (or image and rendition), and the detail if there is one."""
    what = finding.path or f"{finding.image_id} {finding.rendition}"
    return f"{finding.fault:<12}{_one_line(what)}" + (f" ({_one_line(finding.detail)})" if finding.detail else "")


def verify_line(now: VerifyStatistics) -> str:
    """The progress of a verification, in one line of under 80 characters."""
    wrong = sum(count for fault, count in now.found.items() if fault not in NOTES)
    parts = [f"{now.files:,} of {counted(now.total, 'file')}", f"{wrong:,} wrong"]
    if now.shards < now.total_shards:
        return " · ".join([f"{now.shards:,} of {counted(now.total_shards, 'shard')}", parts[1]])
    rate = now.files / now.elapsed_s if now.elapsed_s else 0.0
    if now.seen or now.files >= now.total:
        parts.append(f"{now.seen:,} on the disk")
    elif rate:
        parts += [f"{rate:.0f} files/s", duration((now.total - now.files) / rate)]
    return " · ".join(parts)


def verify_text(end: VerifyStatistics, *, is_repaired: bool, is_interrupted: bool) -> str:
    """Some lines: the files checked, the problems found, the repairs, and the next step."""
    took = duration(end.elapsed_s)
    lines = [
        f"checked {counted(end.files, 'recorded file')} and looked at {counted(end.seen, 'file')} on the disk in {took}"
    ]
    if end.shards:
        lines.append(f"checked {counted(end.shards, 'complete shard')}")
    if end.remote:
        lines.append(f"left out {counted(end.remote, 'image')} in shards that are only in an object store")
    if end.undecoded:
        files = counted(end.undecoded, "file")
        lines.append(f"checked only the size of {files}, because oidl does not decode the format")
    lines += [f"{count:>10,}  {fault:<11} {FAULTS[fault]}" for fault, count in end.found.items() if count]
    if is_repaired:
        requeue = counted(end.requeue, "image")
        lines.append(f"put {requeue} back in the queue and removed {counted(end.removed, 'file')}")
    if is_interrupted:
        lines.append("the check was interrupted: there may be more")
    elif is_sound(end, is_repaired=is_repaired):
        lines.append("no problems found")
    elif is_repaired and end.found[Problem.UNREADABLE]:
        lines.append(f"fix the disk or the permissions of the unreadable files, then run {command('verify')} again")
    if is_repaired and any(end.found[fault] for fault in REDO):
        lines.append(f"run {command('run')} to fetch what was put back")
    elif not is_repaired and any(end.found[fault] for fault in REDO | REMOVE):
        lines.append(f"run {command('verify', '--repair')}, then {command('run')} to fetch what is missing")
    if any(end.found[fault] for fault in PACK):  # last, because it needs the images
        first = "" if is_repaired else f"run {command('verify', '--repair')}; then "
        lines.append(f"{first}run {command('pack')} with its options again to make the wrong shards again")
    return "\n".join(lines)


def verify_json(end: VerifyStatistics, *, is_repaired: bool, is_interrupted: bool) -> str:
    """One JSON object; its keys are a public interface, listed by `oidl help json`."""
    return json.dumps(
        {
            "is_sound": is_sound(end, is_repaired=is_repaired) and not is_interrupted,
            "is_interrupted": is_interrupted,
            "files": end.files,
            "undecoded": end.undecoded,
            "shards": end.shards,
            "remote": end.remote,
            "looked_up": end.seen,
            "found": {fault.value: count for fault, count in end.found.items()},
            "examples": {
                fault.value: [_example(finding) for finding in findings] for fault, findings in end.examples.items()
            },
            "requeued": end.requeue,
            "removed": end.removed,
            "elapsed_s": round(end.elapsed_s, 3),
        }
    )


def _example(finding: Finding) -> dict[str, str | None]:
    return {
        "path": finding.path or None,
        "image_id": finding.image_id,
        "rendition": finding.rendition,
        "detail": finding.detail or None,
    }


def _one_line(text: str) -> str:
    """`text` made safe for a terminal: file names can contain line breaks, and bytes that are not UTF-8."""
    printable = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return printable.encode("utf-8", "replace").decode("utf-8")
