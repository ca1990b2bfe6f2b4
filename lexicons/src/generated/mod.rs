//! The types of the lexicon documents, one module a document.
//! Written by lexicons/generator from the documents; not by hand.

/// `com.atproto.admin.defs`
pub mod com_atproto_admin_defs;
/// `com.atproto.admin.getSubjectStatus`
pub mod com_atproto_admin_get_subject_status;
/// `com.atproto.admin.updateSubjectStatus`
pub mod com_atproto_admin_update_subject_status;
/// `com.atproto.identity.resolveHandle`
pub mod com_atproto_identity_resolve_handle;
/// `com.atproto.label.defs`
pub mod com_atproto_label_defs;
/// `com.atproto.repo.getRecord`
pub mod com_atproto_repo_get_record;
/// `com.atproto.repo.listRecords`
pub mod com_atproto_repo_list_records;
/// `com.atproto.repo.strongRef`
pub mod com_atproto_repo_strong_ref;
/// `fm.plyr.actor.defs`
pub mod fm_plyr_actor_defs;
/// `fm.plyr.actor.getProfile`
pub mod fm_plyr_actor_get_profile;
/// `fm.plyr.actor.getProfiles`
pub mod fm_plyr_actor_get_profiles;
/// `fm.plyr.actor.profile`
pub mod fm_plyr_actor_profile;
/// `fm.plyr.actor.searchActors`
pub mod fm_plyr_actor_search_actors;
/// `fm.plyr.comment`
pub mod fm_plyr_comment;
/// `fm.plyr.feed.defs`
pub mod fm_plyr_feed_defs;
/// `fm.plyr.feed.getActorLikes`
pub mod fm_plyr_feed_get_actor_likes;
/// `fm.plyr.feed.getActorTracks`
pub mod fm_plyr_feed_get_actor_tracks;
/// `fm.plyr.feed.getComments`
pub mod fm_plyr_feed_get_comments;
/// `fm.plyr.feed.getLatest`
pub mod fm_plyr_feed_get_latest;
/// `fm.plyr.feed.getLikes`
pub mod fm_plyr_feed_get_likes;
/// `fm.plyr.feed.getTrack`
pub mod fm_plyr_feed_get_track;
/// `fm.plyr.feed.getTracks`
pub mod fm_plyr_feed_get_tracks;
/// `fm.plyr.graph.defs`
pub mod fm_plyr_graph_defs;
/// `fm.plyr.graph.getActorLists`
pub mod fm_plyr_graph_get_actor_lists;
/// `fm.plyr.graph.getList`
pub mod fm_plyr_graph_get_list;
/// `fm.plyr.graph.getListsWithItem`
pub mod fm_plyr_graph_get_lists_with_item;
/// `fm.plyr.like`
pub mod fm_plyr_like;
/// `fm.plyr.list`
pub mod fm_plyr_list;
/// `fm.plyr.media.defs`
pub mod fm_plyr_media_defs;
/// `fm.plyr.media.getPlayback`
pub mod fm_plyr_media_get_playback;
/// `fm.plyr.search.defs`
pub mod fm_plyr_search_defs;
/// `fm.plyr.search.query`
pub mod fm_plyr_search_query;
/// `fm.plyr.search.typeahead`
pub mod fm_plyr_search_typeahead;
/// `fm.plyr.stats.getStats`
pub mod fm_plyr_stats_get_stats;
/// `fm.plyr.sync.getCoverage`
pub mod fm_plyr_sync_get_coverage;
/// `fm.plyr.sync.getQuarantine`
pub mod fm_plyr_sync_get_quarantine;
/// `fm.plyr.track`
pub mod fm_plyr_track;
/// `parts.page.mention.search`
pub mod parts_page_mention_search;
