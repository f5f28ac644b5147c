-- Indexes to find images by, in ImageID order. A list that is being loaded has no reasons and no files yet, so it costs
-- only the entries of the two smaller subsets.

-- The images that failed or wait for a retry, by reason.
CREATE INDEX download_by_reason ON download (reason, image_id) WHERE reason NOTNULL;

-- The images of all subsets but the largest, which is 98 of 100 images: there, a walk along all images is as good.
CREATE INDEX download_by_subset ON download (subset, image_id) WHERE subset <> 'train';

-- The files of a rendition; a few thousand of them may be among millions of others.
CREATE INDEX file_by_rendition ON file (rendition, image_id);
