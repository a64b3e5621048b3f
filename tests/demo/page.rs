//! The page of `--keep`: all disks and snapshots, live, and the traces of the selected one.
//!
//! Its server adds the page to the routes of the control surface, on its own loopback port. The page reads traces by
//! `GET /spans`: the spans that the collector decoded from OTLP.

use std::{
    convert::Infallible,
    future::IntoFuture as _,
    sync::{Arc, Weak},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::header,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{get, post},
};
use diskseal_emulator::local_azure::LocalAzure;
use futures::{Stream, stream};
use tokio::net::TcpListener;

use crate::{act::Stage, actions, picture};

/// The files, with their media types.
const FILES: [(&str, &str, &str); 6] = [
    ("/", "text/html; charset=utf-8", include_str!("page/page.html")),
    ("/page.css", "text/css; charset=utf-8", include_str!("page/page.css")),
    ("/page.js", "text/javascript; charset=utf-8", include_str!("page/page.js")),
    ("/element.js", "text/javascript; charset=utf-8", include_str!("page/element.js")),
    ("/detail.js", "text/javascript; charset=utf-8", include_str!("page/detail.js")),
    ("/waterfall.js", "text/javascript; charset=utf-8", include_str!("page/waterfall.js")),
];

/// The page runs only its own scripts and connects only to its own server, whatever a tag or a span contains.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Time between two checks for changes while a page is open.
const LOOK: Duration = Duration::from_millis(200);

/// State of the routes. It holds a weak reference, because connections outlive the server for a moment and must not
/// keep the local Azure alive.
#[derive(Clone, Debug)]
pub(crate) struct Playground {
    pub(crate) azure: Weak<LocalAzure>,
    pub(crate) stage: Arc<Stage>,
}

/// The page's server, which serves until it is dropped.
pub(crate) fn serve(
    azure: &Arc<LocalAzure>,
    stage: &Arc<Stage>,
    listener: TcpListener,
) -> impl Future<Output = std::io::Result<()>> + use<> {
    let own = Router::new()
        .route("/live", get(live))
        .route("/create", post(actions::create))
        .route("/change", post(actions::change))
        .with_state(Playground { azure: Arc::downgrade(azure), stage: Arc::clone(stage) });
    let own = FILES.into_iter().fold(own, |router, (path, media_type, text)| {
        router.route(path, get(move || async move { file(media_type, text) }))
    });
    axum::serve(listener, azure.control.router_with(own)).into_future()
}

fn file(media_type: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, text).into_response()
}

/// Sends the picture now and after every change.
async fn live(
    State(playground): State<Playground>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let pictures = stream::unfold((playground, String::new()), |(playground, shown)| async move {
        loop {
            let azure = playground.azure.upgrade()?;
            let picture = picture::of(&azure, &playground.stage).to_string();
            drop(azure);
            if picture != shown {
                return Some((Ok(Event::default().data(&picture)), (playground, picture)));
            }
            tokio::time::sleep(LOOK).await;
        }
    });
    Sse::new(pictures).keep_alive(KeepAlive::default())
}
