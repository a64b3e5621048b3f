//! The work of a command on the resources that it was given.

use futures::{StreamExt, stream};

use super::{
    answer::Exit,
    interrupt::{stopped, unless_interrupted},
    resource_line::{Names, ResourceLine},
    session::Session,
};
use crate::resource_id::ResourceId;

/// Works on each of the given resources, so many at once, and prints its line as soon as it is done.
pub(super) async fn each(
    session: &Session,
    ids: Vec<ResourceId>,
    concurrency: usize,
    is_json: bool,
    work: impl AsyncFn(ResourceId) -> (ResourceLine, Exit),
) -> Exit {
    let mut worst = Exit::Done;
    let all = async {
        let names = Names::of_ids(session, &ids).await;
        let lines = stream::iter(ids).map(|id| work(id)).buffer_unordered(concurrency);
        lines
            .for_each(|(line, exit)| {
                line.print(&names, is_json);
                worst = worst.max(exit);
                std::future::ready(())
            })
            .await;
    };
    match unless_interrupted(all).await {
        Some(()) => worst,
        None => stopped(),
    }
}
