//! What a cluster says of itself.

use std::collections::BTreeMap;

use super::cql::connect;
use super::options::ScyllaOptions;
use crate::store::StoreError;

/// The datacenters of a cluster and the number of nodes in each, by name. Needs no keyspace.
pub async fn datacenters(options: &ScyllaOptions) -> Result<Vec<(String, usize)>, StoreError> {
    let session = connect(options).await?;
    let state = session.get_cluster_state();
    let mut datacenters: BTreeMap<String, usize> = BTreeMap::new();
    for node in state.get_nodes_info() {
        let name = node.datacenter.clone().unwrap_or_default();
        *datacenters.entry(name).or_default() += 1;
    }
    Ok(datacenters.into_iter().collect())
}
