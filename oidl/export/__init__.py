"""Output for other programs: the success and failure CSVs, and labels as COCO, YOLO, Pascal VOC and CSV.

`labels` walks through the database and passes one image after another to a format. `image` is what all formats write:
a file, its real size, and the boxes in it. `format` defines a format; `formats/` has one module for each and the table
of all. Formats know nothing about SQL.
"""
