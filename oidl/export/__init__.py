"""What other programs read: the success and failure CSVs, and labels as COCO, YOLO, Pascal VOC and CSV.

`labels` walks through the database and hands one image after another to a format. `image` is what all formats
write: a file, its real size, and the boxes in it. `format` says what a format is, `formats/` has one module for
each and the table of all. A format knows nothing of SQL.
"""
