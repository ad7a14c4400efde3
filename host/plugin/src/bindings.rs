//! The contract's types and calls, generated from `wit/`.
#![allow(missing_docs, reason = "generated; the contract itself carries the documentation")]

pub(crate) mod collector {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "collector-plugin",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "watchglass:plugin/net.connection": crate::imports::Connection,
            "watchglass:plugin/http.body": crate::imports::Body,
        },
    });
}

pub(crate) mod rule {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "rule-plugin",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "watchglass:plugin/types": crate::bindings::collector::watchglass::plugin::types,
            "watchglass:plugin/log": crate::bindings::collector::watchglass::plugin::log,
            "watchglass:plugin/meta": crate::bindings::collector::watchglass::plugin::meta,
        },
    });
}

pub(crate) use collector::watchglass::plugin as wit;
