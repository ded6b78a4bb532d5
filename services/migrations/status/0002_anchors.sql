-- The last record that was projected of each partition: another log has another one there.
ALTER TABLE status_offsets
    ADD COLUMN anchor_offset        BIGINT,
    ADD COLUMN anchor_timestamp_us  BIGINT,
    ADD COLUMN anchor_crc           BIGINT;
