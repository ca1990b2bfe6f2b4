//! Requests in a closed loop of a few connections, and what they took.

use std::time::{Duration, Instant};

/// Connections that ask at the same time.
pub const CLIENTS: usize = 8;
/// Every kind of request has its turn so often: what disturbs the machine then disturbs them all.
const TURNS: u32 = 5;

/// Latencies in milliseconds, kept sorted.
#[derive(Default)]
pub struct Times(Vec<f64>);

impl Times {
    pub fn of(mut times: Vec<f64>) -> Times {
        times.sort_by(f64::total_cmp);
        Times(times)
    }

    /// The latency that a share of the requests did not exceed; 0 where there are none.
    pub fn at(&self, share: f64) -> f64 {
        let place = (self.0.len().saturating_sub(1) as f64 * share) as usize;
        self.0.get(place).copied().unwrap_or(0.0)
    }
}

/// What asking one thing over and over came to.
pub struct Measured {
    pub rate: f64,
    pub times: Times,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (p50, p99) = (self.times.at(0.5), self.times.at(0.99));
        write!(to, "{:.0}/s, p50 {p50:.2} ms, p99 {p99:.2} ms", self.rate)
    }
}

/// Asks each URL for as long as `run`, by turns.
pub async fn measure<const N: usize>(
    urls: [&str; N],
    run: Duration,
) -> Result<[Measured; N], Box<dyn std::error::Error>> {
    let mut times: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
    let mut seconds = [0.0; N];
    for _ in 0..TURNS {
        for place in 0..N {
            let began = Instant::now();
            times[place].extend(turn(urls[place], run / TURNS).await?);
            seconds[place] += began.elapsed().as_secs_f64();
        }
    }
    let mut seconds = seconds.into_iter();
    Ok(times.map(|times| Measured {
        rate: times.len() as f64 / seconds.next().unwrap_or(f64::NAN),
        times: Times::of(times),
    }))
}

async fn turn(url: &str, run: Duration) -> Result<Vec<f64>, Box<dyn std::error::Error>> {
    let mut clients = Vec::new();
    let began = Instant::now();
    for _ in 0..CLIENTS {
        let url = url.to_owned();
        clients.push(tokio::spawn(async move {
            let client = reqwest::Client::builder().no_gzip().build()?;
            let mut times = Vec::new();
            while began.elapsed() < run {
                let asked = Instant::now();
                let answer = client.get(&url).send().await?.error_for_status()?;
                answer.bytes().await?;
                times.push(asked.elapsed().as_secs_f64() * 1000.0);
            }
            Ok::<_, reqwest::Error>(times)
        }));
    }
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await??);
    }
    Ok(times)
}
