//! What a group tells its members.

use bytes::Bytes;

use crate::error::ErrorCode;

/// The late answer to a JoinGroup or SyncGroup request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GroupAnswer {
    Join(Joined),
    Sync(Result<Synced, ErrorCode>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) member_id: String,
    pub(crate) generation: Result<Generation, ErrorCode>,
}

/// One generation of a group, as one member sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) generation_id: i32,
    pub(crate) protocol_type: String,
    pub(crate) protocol_name: String,
    pub(crate) leader: String,
    /// The leader keeps the assignment that there is (a static leader after a restart).
    pub(crate) skip_assignment: bool,
    /// For the leader: everybody. For the others: nobody.
    pub(crate) members: Vec<MemberMetadata>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemberMetadata {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) metadata: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Synced {
    pub(crate) protocol_type: String,
    pub(crate) protocol_name: String,
    pub(crate) assignment: Bytes,
}
