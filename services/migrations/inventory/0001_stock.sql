-- Specification §4.2, "Inventory Table".
CREATE TABLE inventory (
    product_id     VARCHAR(50) PRIMARY KEY,
    current_stock  INTEGER NOT NULL CHECK (current_stock >= 0),
    reserved_stock INTEGER NOT NULL DEFAULT 0 CHECK (reserved_stock >= 0),
    updated_at     TIMESTAMP WITH TIME ZONE DEFAULT NOW(),

    CHECK (current_stock >= reserved_stock)
);

-- What each order has of the stock. The levels above are the sum over these rows.
CREATE TABLE reservations (
    order_id            UUID PRIMARY KEY,
    product_id          VARCHAR(50) NOT NULL REFERENCES inventory(product_id),
    quantity            INTEGER NOT NULL CHECK (quantity > 0),
    -- Nothing while only a payment is known of the order.
    decision            VARCHAR(20) CHECK (decision IN ('confirmed', 'rejected')),
    -- Whether the log says so too.
    logged              BOOLEAN NOT NULL DEFAULT FALSE,
    payment             VARCHAR(20) CHECK (payment IN ('completed', 'failed')),
    released            BOOLEAN NOT NULL DEFAULT FALSE,
    -- The timestamps of the events that tell of the decision and of the release: however often an
    -- event is published, and by whichever instance, its bytes are the same.
    decided_at          TIMESTAMP WITH TIME ZONE,
    release_decided_at  TIMESTAMP WITH TIME ZONE,

    CHECK (decision IS NOT NULL OR NOT logged)
);

-- How far the log has been folded into these tables.
CREATE TABLE inventory_offsets (
    topic        VARCHAR(50) NOT NULL,
    partition    INTEGER NOT NULL,
    next_offset  BIGINT NOT NULL CHECK (next_offset >= 0),

    PRIMARY KEY (topic, partition)
);
