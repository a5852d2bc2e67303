//! What a desk keeps about its conversations, below all that happens in them.

pub(crate) mod away;
pub(crate) mod claim;
pub(crate) mod decision;
pub(crate) mod limits;
pub(crate) mod matter;
pub(crate) mod membership;
pub(crate) mod newcomers;
pub(crate) mod opt_out;
pub(crate) mod own_text;
pub(crate) mod page;
pub(crate) mod plainer;
pub(crate) mod reminder;
pub(crate) mod root;
pub(crate) mod stuck;
pub(crate) mod tell;
