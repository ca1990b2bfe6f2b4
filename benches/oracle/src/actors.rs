//! Whether an AppView says of each actor what it must: by DID and by handle, one by one and several
//! at once; and of each record.

use serde_json::{Value, json};

use crate::answers::{Ask, encoded};
use crate::compare::{Asked, Disagreement, uris};
use crate::expected::{COLLECTIONS, Kind};

/// Actors and tracks that are asked for at once.
const AT_ONCE: usize = 25;
/// The CID of no record.
const ANOTHER: &str = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

impl<A: Ask> Asked<'_, A> {
    /// An actor's lists, records and profile.
    pub(crate) async fn actor(&mut self, did: &str) -> Result<(), Disagreement> {
        let query = format!("actor={}", encoded(did));
        let (tracks, lists) = ("fm.plyr.feed.getActorTracks", "fm.plyr.graph.getActorLists");
        let (albums, playlists) = (
            format!("{query}&listType=album"),
            format!("{query}&listType=playlist"),
        );
        for (method, query, name, kind) in [
            (tracks, &query, "tracks", Kind::Tracks),
            (lists, &query, "lists", Kind::Lists),
            (lists, &albums, "lists", Kind::Albums),
            (lists, &playlists, "lists", Kind::Playlists),
        ] {
            let expected = uris(self.expected.of_actor(did, kind));
            self.viewed(method, query, name, expected).await?;
        }
        self.liked(did, &query).await?;
        for collection in COLLECTIONS {
            let query = format!("repo={}&collection={collection}", encoded(did));
            let method = "com.atproto.repo.listRecords";
            let entries = self.list(method, &query, "records").await?;
            let expected = self.expected.listed(did, collection);
            let expected = expected
                .into_iter()
                .map(|one| json!({ "uri": one.uri, "cid": one.held.cid, "value": one.held.value }));
            let question = format!("{method}?{query}");
            self.same(&question, &expected.collect::<Vec<_>>(), &entries)?;
        }
        self.profile(did, &query).await
    }

    /// What an actor likes: each like with its track.
    pub(crate) async fn liked(&mut self, did: &str, query: &str) -> Result<(), Disagreement> {
        let method = "fm.plyr.feed.getActorLikes";
        let entries = self.list(method, query, "likes").await?;
        let liked = self.expected.liked(did).into_iter();
        let liked: Vec<[&str; 2]> = liked
            .map(|(like, track)| [&*like.uri, &*track.uri])
            .collect();
        let answered = entries
            .iter()
            .map(|entry| [&entry["like"]["uri"], &entry["track"]["uri"]]);
        let question = format!("{method}?{query}");
        self.same(&question, &liked, &answered.collect::<Vec<_>>())?;
        for ([like, track], entry) in liked.into_iter().zip(&entries) {
            self.view(like, &entry["like"])?;
            self.view(track, &entry["track"])?;
        }
        Ok(())
    }

    pub(crate) async fn profile(&mut self, did: &str, query: &str) -> Result<(), Disagreement> {
        let method = "fm.plyr.actor.getProfile";
        let question = format!("{method}?{query}");
        let answer = self.one(method, query).await;
        let account = self.network.accounts.get(did);
        if !account.is_some_and(|account| account.is_active) {
            // Nobody can know how they stand.
            if self.network.is_unheard_of(did, &COLLECTIONS) {
                return Ok(());
            }
            return self.refused(&question, &["ActorHidden"], answer);
        }
        let answer = self.answered(&question, answer)?;
        self.profile_view(did, &answer["profile"])
    }

    /// Whether an account holds something of ours, so that it was asked about.
    pub(crate) fn is_met(&self, did: &str) -> bool {
        let account = self.network.accounts.get(did);
        account.is_some_and(|account| account.holds(&COLLECTIONS))
    }

    /// Each handle that somebody ever had leads to whoever has it now, or to nobody.
    pub(crate) async fn handles(&mut self) -> Result<(), Disagreement> {
        let (resolve, profile) = (
            "com.atproto.identity.resolveHandle",
            "fm.plyr.actor.getProfile",
        );
        for (handle, owner) in &self.network.handles {
            let query = format!("handle={}", encoded(handle));
            let answer = self.one(resolve, &query).await;
            let question = format!("{resolve}?{query}");
            let query = format!("actor={}", encoded(handle));
            let Some(did) = owner else {
                self.refused(&question, &["HandleNotFound"], answer)?;
                let answer = self.one(profile, &query).await;
                self.refused(&format!("{profile}?{query}"), &["ActorNotFound"], answer)?;
                continue;
            };
            let answer = self.answered(&question, answer)?;
            self.same(&question, did, &answer["did"])?;
            self.profile(did, &query).await?;
        }
        Ok(())
    }

    /// Several actors at once, by DID and by handle in turns: who shows, in the order asked.
    pub(crate) async fn profiles(&mut self) -> Result<(), Disagreement> {
        let method = "fm.plyr.actor.getProfiles";
        let is_known = |did: &&String| !self.network.is_unheard_of(did, &COLLECTIONS);
        let dids: Vec<&String> = self.network.accounts.keys().filter(is_known).collect();
        for some in dids.chunks(AT_ONCE) {
            let named = some.iter().enumerate().map(|(place, did)| {
                let account = &self.network.accounts[*did];
                let handle = account.handle.as_ref().filter(|_| place % 2 == 1);
                format!("actors={}", encoded(handle.unwrap_or(did)))
            });
            let query = named.collect::<Vec<_>>().join("&");
            let answer = self.one(method, &query).await;
            let answer = self.answered(method, answer)?;
            let views = answer["profiles"].as_array().cloned().unwrap_or_default();
            let shown = some
                .iter()
                .filter(|did| self.network.accounts[**did].is_active);
            let shown: Vec<&String> = shown.copied().collect();
            let answered: Vec<&Value> = views.iter().map(|view| &view["did"]).collect();
            self.same(method, &shown, &answered)?;
            for (did, view) in shown.into_iter().zip(&views) {
                self.profile_view(did, view)?;
            }
        }
        Ok(())
    }

    /// Several tracks at once: those that show, in the order asked.
    pub(crate) async fn tracks(&mut self, addresses: &[String]) -> Result<(), Disagreement> {
        let method = "fm.plyr.feed.getTracks";
        let is_track = |uri: &&String| uri.contains("/fm.plyr.track/");
        let addresses: Vec<&String> = addresses.iter().filter(is_track).collect();
        for some in addresses.chunks(AT_ONCE) {
            let named = some.iter().map(|uri| format!("uris={}", encoded(uri)));
            let query = named.collect::<Vec<_>>().join("&");
            let answer = self.one(method, &query).await;
            let answer = self.answered(method, answer)?;
            let views = answer["tracks"].as_array().cloned().unwrap_or_default();
            let is_shown = |uri: &&&String| self.expected.shown.contains_key(**uri);
            let shown: Vec<&&String> = some.iter().filter(is_shown).collect();
            let answered: Vec<&Value> = views.iter().map(|view| &view["uri"]).collect();
            self.same(method, &shown, &answered)?;
            for (uri, view) in shown.into_iter().zip(&views) {
                self.view(uri, view)?;
            }
        }
        Ok(())
    }

    /// One record, verbatim: by its address, by the CID that it has, and not by another one.
    pub(crate) async fn record(&mut self, uri: &str) -> Result<(), Disagreement> {
        let path = uri.strip_prefix("at://").unwrap_or_default();
        let parts: Vec<&str> = path.split('/').collect();
        let [did, collection, rkey] = parts[..] else {
            return Ok(());
        };
        let query = format!(
            "repo={}&collection={}&rkey={}",
            encoded(did),
            encoded(collection),
            encoded(rkey)
        );
        let method = "com.atproto.repo.getRecord";
        let question = format!("{method}?{query}");
        let answer = self.one(method, &query).await;
        let Some(one) = self.expected.held.get(uri) else {
            return self.refused(&question, &["RecordNotFound"], answer);
        };
        let held = one.held.clone();
        let answer = self.answered(&question, answer)?;
        let expected = json!({ "uri": uri, "cid": held.cid, "value": held.value });
        self.same(&question, &expected, &answer)?;
        let by_cid = self.one(method, &format!("{query}&cid={}", held.cid)).await;
        self.answered(&question, by_cid)?;
        let another = self.one(method, &format!("{query}&cid={ANOTHER}")).await;
        self.refused(&question, &["RecordNotFound"], another)
    }
}
