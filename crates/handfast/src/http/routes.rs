//! The only way to register a route: with its access rule.
//!
//! [`Routes::add`] takes the rule beside the handler, so a route without one does not compile;
//! `clippy.toml` bans the ways around it. The same table prints docs/routes.md.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{Next, from_fn};
use axum::routing::MethodRouter;
use utoipa::openapi::{OpenApi, PathItem};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::access::{Access, guard};
use crate::hub::SharedHub;

/// One route as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) access: Access,
}

/// Routes with their access rules and their documentation.
pub(crate) struct Routes {
    router: OpenApiRouter<SharedHub>,
    rules: Vec<Rule>,
}

impl Routes {
    pub(crate) fn new(openapi: OpenApi) -> Self {
        Self { router: OpenApiRouter::with_openapi(openapi), rules: Vec::new() }
    }

    /// Registers documented handlers (`utoipa_axum::routes!`) under one access rule.
    pub(crate) fn add(mut self, access: Access, handlers: UtoipaMethodRouter<SharedHub>) -> Self {
        let (schemas, paths, methods) = handlers;
        for (path, item) in &paths.paths {
            let of_path =
                methods_of(item).map(|method| Rule { method, path: path.clone(), access });
            self.rules.extend(of_path);
        }
        let guarded: MethodRouter<SharedHub> =
            methods.route_layer(from_fn(move |request: axum::extract::Request, next: Next| {
                guard(access, request, next)
            }));
        self.router = self.router.routes((schemas, paths, guarded));
        self
    }

    /// As [`Routes::add`], for handlers that take a file: bodies of at most `bytes_max`.
    pub(crate) fn add_large(
        self,
        access: Access,
        bytes_max: usize,
        (schemas, paths, methods): UtoipaMethodRouter<SharedHub>,
    ) -> Self {
        self.add(access, (schemas, paths, methods.route_layer(DefaultBodyLimit::max(bytes_max))))
    }

    /// The router, its OpenAPI document, and the table of rules.
    pub(crate) fn into_parts(self) -> (Router<SharedHub>, OpenApi, Vec<Rule>) {
        let (router, openapi) = self.router.split_for_parts();
        (router, openapi, self.rules)
    }
}

fn methods_of(item: &PathItem) -> impl Iterator<Item = &'static str> {
    [
        ("GET", item.get.is_some()),
        ("POST", item.post.is_some()),
        ("PUT", item.put.is_some()),
        ("PATCH", item.patch.is_some()),
        ("DELETE", item.delete.is_some()),
    ]
    .into_iter()
    .filter_map(|(method, present)| present.then_some(method))
}
