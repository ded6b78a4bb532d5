-- Specification §4.2, "Orders Table".
CREATE TABLE orders (
    order_id        UUID PRIMARY KEY,
    product_id      VARCHAR(50) NOT NULL,
    quantity        INTEGER NOT NULL CHECK (quantity > 0),
    status          VARCHAR(50) NOT NULL,
    payment_amount  DECIMAL(10,2),
    tracking_number VARCHAR(20),
    created_at      TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    updated_at      TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    -- Nothing more can happen to it: an order that has not ended is in memory after every start.
    ended           BOOLEAN NOT NULL DEFAULT FALSE
);

CREATE INDEX idx_orders_status ON orders (status);
CREATE INDEX idx_orders_created_at ON orders (created_at);
CREATE INDEX idx_orders_open ON orders (order_id) WHERE NOT ended;

-- "Event Store Table".
CREATE TABLE events (
    event_id       UUID PRIMARY KEY,
    order_id       UUID NOT NULL,
    event_type     VARCHAR(50) NOT NULL,
    event_data     JSONB NOT NULL,
    event_version  VARCHAR(10) NOT NULL DEFAULT 'v1',
    created_at     TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    -- The value as it stands in the log: JSONB keeps neither the order of its fields nor its spaces.
    event_text     TEXT NOT NULL,
    -- As the events were seen: an order is shown in this order, before and after a restart.
    sequence       BIGSERIAL,

    FOREIGN KEY (order_id) REFERENCES orders(order_id)
);

CREATE INDEX idx_events_order_id ON events (order_id);
CREATE INDEX idx_events_type_created ON events (event_type, created_at);
CREATE INDEX gin_events_data ON events USING GIN (event_data jsonb_path_ops);

-- "Shipping Information Table".
CREATE TABLE shipments (
    shipment_id         UUID PRIMARY KEY,
    order_id            UUID NOT NULL UNIQUE,
    tracking_number     VARCHAR(20) NOT NULL UNIQUE,
    carrier             VARCHAR(20) NOT NULL,
    estimated_days      INTEGER NOT NULL,
    shipped_at          TIMESTAMP WITH TIME ZONE DEFAULT NOW(),

    FOREIGN KEY (order_id) REFERENCES orders(order_id)
);

CREATE INDEX idx_shipments_tracking ON shipments (tracking_number);

-- How far the log has been projected into these tables.
CREATE TABLE status_offsets (
    topic        VARCHAR(50) NOT NULL,
    partition    INTEGER NOT NULL,
    next_offset  BIGINT NOT NULL CHECK (next_offset >= 0),

    PRIMARY KEY (topic, partition)
);
