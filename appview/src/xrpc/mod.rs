//! The methods: one file each, named after it.

pub mod get_actor_likes;
pub mod get_actor_lists;
pub mod get_actor_tracks;
pub mod get_comments;
pub mod get_coverage;
pub mod get_latest;
pub mod get_likes;
pub mod get_list;
pub mod get_lists_with_item;
pub mod get_profile;
pub mod get_profiles;
pub mod get_quarantine;
pub mod get_record;
pub mod get_stats;
pub mod get_track;
pub mod get_tracks;
pub mod list_records;
pub mod resolve_handle;
pub mod subject;
