//! The network merged into an empty store by the binary: repos found, fetched, proven, written;
//! then one large repo beside them, and a pass over repos that have not changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use plyr_peers::Plyr;

use crate::corpus::{self, Corpus};
use crate::hosted::{AnyError, Asked, Hosted, serve};
use crate::report::Report;
use crate::{Arguments, Outcome, binary, memory};

/// Hosts the repos are spread over: the questions to one host come a while apart.
const HOSTS: usize = 200;
const RECORDS_A_REPO: usize = 100;
/// Within which repos are asked again, so that the passes can be seen; longer than the merge.
const STEADY: &str = "90s";
/// Passes that are measured.
const PASSES: u64 = 3;
const LOOK: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(900);
/// Of the kernel's clock, in which it counts a process's time.
const TICKS_A_SECOND: f64 = 100.0;

/// Runs the campaign.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let binary = binary::find(arguments, report).await?;
    let measured = measured(arguments, &binary, report).await;
    Ok(measured.map_err(|problem| problem.to_string())?)
}

/// A network, and a `plyr serve` over it.
struct Merging {
    plyr: Plyr,
    asked: Arc<Asked>,
    records: u64,
    began: Instant,
}

/// Repos of a number of records each, as the corpus has them.
fn repos(seed: u64, count: usize, each: usize) -> Result<Vec<Hosted>, AnyError> {
    let plain = |problem: Box<dyn std::error::Error>| problem.to_string();
    let mut corpus = Corpus::new(seed).map_err(plain)?;
    let make = |number: usize| {
        let mut records = BTreeMap::new();
        for entry in corpus.by_ref().take(each) {
            let entry = entry.map_err(plain)?;
            let path = format!(
                "{}/{}",
                entry.uri.collection.as_str(),
                entry.uri.rkey.as_str()
            );
            records.insert(path, entry.cbor);
        }
        Hosted::new(corpus::did(number)?, &records)
    };
    (0..count).map(make).collect()
}

impl Merging {
    async fn start(
        binary: &str,
        folder: &std::path::Path,
        hosted: Vec<Hosted>,
        each: usize,
        verify_every: &str,
    ) -> Result<Merging, AnyError> {
        let repos = hosted.len();
        let (origins, asked) = serve(hosted, HOSTS.min(repos)).await?;
        let directory = origins.first().ok_or("no host")?;
        let arguments = [
            ("--plc-url", directory.as_str()),
            ("--relay-url", directory.as_str()),
            ("--jetstream", "ws://127.0.0.1:1"),
            ("--verify-every", verify_every),
            ("--media", "off"),
            ("--dev", ""),
        ];
        let words = arguments.iter().flat_map(|(name, value)| [*name, *value]);
        let words = words.filter(|word| !word.is_empty()).map(str::to_owned);
        let words: Vec<String> = words.collect();
        let plyr = Plyr::start(binary, folder, &words).await?;
        Ok(Merging {
            plyr,
            asked,
            records: (repos * each) as u64,
            began: Instant::now(),
        })
    }

    /// Waits until a counter of the binary has come so far; answers how long after the start.
    async fn until(&self, counter: &str, most: u64) -> Result<Duration, AnyError> {
        loop {
            let page = self.plyr.probe("/metrics").await?;
            let rows = page.lines().filter(|row| row.starts_with(counter));
            let values = rows.filter_map(|row| row.rsplit(' ').next()?.parse::<u64>().ok());
            let sum: u64 = values.sum();
            if sum >= most {
                return Ok(self.began.elapsed());
            }
            if self.began.elapsed() > PATIENCE {
                return Err(format!("{counter} is {sum}, not {most}").into());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn merged(&self) -> Result<Duration, AnyError> {
        self.until("plyr_repo_records_merged_total", self.records)
            .await
    }

    /// Seconds that the binary has kept a core busy.
    fn cores(&self) -> Result<f64, AnyError> {
        let pid = self.plyr.pid().ok_or("plyr has ended")?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let after_name = stat.rsplit(") ").next().ok_or("no times")?;
        let times = after_name.split(' ').skip(11).take(2);
        let ticks: u64 = times.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Ok(ticks as f64 / TICKS_A_SECOND)
    }

    /// Bytes that it has written to the disk.
    fn written(&self) -> Result<u64, AnyError> {
        let pid = self.plyr.pid().ok_or("plyr has ended")?;
        let io = std::fs::read_to_string(format!("/proc/{pid}/io"))?;
        let row = io.lines().find_map(|row| row.strip_prefix("write_bytes: "));
        Ok(row.ok_or("the kernel tells no write_bytes")?.parse()?)
    }

    fn peak(&self) -> Result<u64, AnyError> {
        let memory = memory::of(&self.plyr).map_err(|problem| problem.to_string())?;
        Ok(memory.peak)
    }
}

async fn measured(
    arguments: &Arguments,
    binary: &str,
    report: &mut Report,
) -> Result<(), AnyError> {
    let (records, seed) = (arguments.records, arguments.seed);
    let count = records / RECORDS_A_REPO;
    let folder = tempfile::tempdir()?;

    let hosted = repos(seed, count, RECORDS_A_REPO)?;
    let data = folder.path().join("many");
    let many = Merging::start(binary, &data, hosted, RECORDS_A_REPO, STEADY).await?;
    let took = many.merged().await?.as_secs_f64();
    let cores = many.cores()?;
    let (requests, bytes) = many.asked.so_far();
    report.add(
        &format!("{count} repos of {RECORDS_A_REPO} records into an empty store, `plyr serve`"),
        format!(
            "{:.0} records/s verified ({took:.1} s); {:.0} a second of two busy cores",
            records as f64 / took,
            2.0 * records as f64 / cores
        ),
        "≥ 20,000/s on two cores",
    );
    report.add(
        "the same, what the hosts were asked",
        format!(
            "{:.1} requests and {} bytes a repo",
            requests as f64 / count as f64,
            bytes / count as u64
        ),
        "",
    );
    let peak_of_many = many.peak()?;
    many.plyr.stop().await?;

    let hosted = repos(seed, 1, records)?;
    let one = Merging::start(binary, &folder.path().join("one"), hosted, records, "24h").await?;
    let took = one.merged().await?.as_secs_f64();
    report.add(
        &format!("one repo of {records} records into an empty store"),
        format!(
            "{:.0} records/s verified ({took:.1} s)",
            records as f64 / took
        ),
        "",
    );
    report.add(
        "most memory, one large repo beside many small ones",
        format!(
            "{} beside {}",
            memory::megabytes(one.peak()?),
            memory::megabytes(peak_of_many)
        ),
        "flat whatever the repo's size",
    );
    one.plyr.stop().await?;
    unchanged(arguments, binary, &data, report).await
}

/// The repos of the full store asked again, none of which has changed.
async fn unchanged(
    arguments: &Arguments,
    binary: &str,
    data: &std::path::Path,
    report: &mut Report,
) -> Result<(), AnyError> {
    let count = (arguments.records / RECORDS_A_REPO) as u64;
    let hosted = repos(arguments.seed, count as usize, RECORDS_A_REPO)?;
    let again = Merging::start(binary, data, hosted, RECORDS_A_REPO, "1s").await?;
    let visits = "plyr_repo_visits_total{outcome=\"unchanged\"}";
    // The first pass begins when it is due; the ones after it follow one another.
    let first = again.until(visits, count).await?;
    let (before, cores, written) = (again.asked.so_far(), again.cores()?, again.written()?);
    let took = again.until(visits, (1 + PASSES) * count).await? - first;
    let after = again.asked.so_far();
    let of_all = (PASSES * count) as f64;
    report.add(
        &format!("{PASSES} passes over the same {count} repos, unchanged"),
        format!(
            "{:.2} requests and {:.0} bytes a repo; {:.2} ms of a core, {:.0} bytes to the disk; \
             {:.0} repos/s",
            (after.0 - before.0) as f64 / of_all,
            (after.1 - before.1) as f64 / of_all,
            1_000.0 * (again.cores()? - cores) / of_all,
            (again.written()? - written) as f64 / of_all,
            of_all / took.as_secs_f64()
        ),
        "one small request each",
    );
    again.plyr.stop().await?;
    Ok(())
}
