"""Labels next to the pictures, in the formats of other tools: COCO, YOLO, Pascal VOC and CSV.

`picture` is what they all write: a file, its real size, and the boxes in it as they
lie there. `export` goes through the database and hands pictures to one of `coco`,
`yolo`, `voc` and `table`; each of these knows one format and nothing of SQL.
`stale` knows what of the export before has to go, and what is the user's own.
"""
