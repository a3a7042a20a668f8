//! What one question may cost.

use profiler_collector::fleet::CostLimits;
use profiler_proto::v1::{self, query_server::Query as _};
use tonic::{Code, Request};

use crate::fixture::{Agent, MIB, Table, World};

async fn three_nodes() -> World {
    let world = World::new();
    for (number, node) in [(1, "a"), (2, "b"), (3, "c")] {
        let table = Table::default().process(1, 100, "host").stack(1, MIB, 0);
        let mut agent = Agent::new(node, number, 1, 0);
        agent.send(&world, &table.0, 10, true).await;
        agent.send(&world, &table.0, 20, false).await;
    }
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_costs_too_much_says_how_to_narrow_it() {
    let world = three_nodes().await;
    let usual = CostLimits::default();
    for (limits, what) in [
        (
            CostLimits {
                batches: 5,
                ..usual
            },
            "5 batches",
        ),
        (CostLimits { rows: 5, ..usual }, "5 rows"),
        (
            CostLimits {
                bytes: 100,
                ..usual
            },
            "100 bytes",
        ),
    ] {
        let service = world.service_within(25, limits);
        let refused = service.top(Request::new(v1::TopRequest::default())).await;
        let refused = refused.expect_err("a refusal");
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert!(refused.message().contains(what), "{}", refused.message());
        assert!(refused.message().contains("selector.nodes"));
    }
    let service = world.service_within(
        25,
        CostLimits {
            batches: 5,
            ..usual
        },
    );
    let narrow = v1::TopRequest {
        selector: Some(v1::Selector {
            nodes: vec!["b".to_owned()],
            ..v1::Selector::default()
        }),
        ..v1::TopRequest::default()
    };
    let answer = service.top(Request::new(narrow)).await.expect("an answer");
    assert_eq!(answer.into_inner().rows.len(), 1);
}
