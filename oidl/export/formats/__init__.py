"""The formats of labels, by their names for `--format`: one module each, and one line here."""

from oidl.export.format import Format
from oidl.export.formats.boxes_csv import BOXES_CSV
from oidl.export.formats.coco import COCO
from oidl.export.formats.imagefolder import IMAGEFOLDER
from oidl.export.formats.voc import VOC
from oidl.export.formats.yolo import YOLO

FORMATS: dict[str, Format] = {each.name: each for each in (COCO, YOLO, VOC, IMAGEFOLDER, BOXES_CSV)}
