//! A member of a group.

use bytes::Bytes;

use crate::Token;

/// What a JoinGroup request says about its member.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout_ms: u64,
    pub(crate) rebalance_timeout_ms: u64,
    pub(crate) protocol_type: String,
    /// Assignors by preference, each with the member's subscription for it.
    pub(crate) protocols: Vec<(String, Bytes)>,
}

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) profile: Profile,
    pub(crate) assignment: Bytes,
    /// The JoinGroup request that waits for the others.
    pub(crate) joining: Option<Token>,
    /// The SyncGroup request that waits for the leader.
    pub(crate) syncing: Option<Token>,
    /// Asked for its assignment since the generation began.
    pub(crate) synced: bool,
    /// When the session ends without another sign of life.
    pub(crate) expires_ms: u64,
}

impl Member {
    pub(crate) fn new(profile: Profile, now_ms: u64) -> Self {
        let expires_ms = now_ms + profile.session_timeout_ms;
        Self {
            profile,
            assignment: Bytes::new(),
            joining: None,
            syncing: None,
            synced: false,
            expires_ms,
        }
    }

    pub(crate) fn sign_of_life(&mut self, now_ms: u64) {
        self.expires_ms = now_ms + self.profile.session_timeout_ms;
    }

    /// A member whose own request waits here is alive whatever the clock says.
    pub(crate) fn session_deadline_ms(&self) -> Option<u64> {
        (self.joining.is_none() && self.syncing.is_none()).then_some(self.expires_ms)
    }

    pub(crate) fn supports(&self, protocol: &str) -> bool {
        self.profile.protocols.iter().any(|(name, _)| name == protocol)
    }

    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.profile.protocols.iter().find(|(name, _)| name == protocol);
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }
}
