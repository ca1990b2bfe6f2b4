//! Memory of the binary that has nothing to do: over an empty store, and over a full one.

use crate::report::Report;
use crate::{Arguments, Outcome, binary, fill, memory};

/// Runs the campaign.
pub async fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let binary = binary::find(arguments, report).await?;
    for count in [0, arguments.records] {
        let folder = tempfile::tempdir()?;
        let data_dir = folder.path().join("data");
        if count > 0 {
            fill::close(&data_dir, arguments.seed, count).await?;
        }
        let plyr = binary::start_alone(&binary, &data_dir).await?;
        let memory = memory::settled(&plyr).await?;
        plyr.stop().await?;
        let (over, aim) = if count == 0 {
            (
                "an empty store".to_owned(),
                "< 100 MB (beyond: 60); nearest system: 30.5 MB",
            )
        } else {
            (format!("{count} tracks"), "< 100 MB (beyond: 60)")
        };
        report.add(
            &format!("resident memory of `plyr serve`, idle over {over}"),
            memory::megabytes(memory.now),
            aim,
        );
    }
    Ok(())
}
