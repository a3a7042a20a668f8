//! The proto3 JSON mapping of a response, made from its descriptor: field for field what any
//! other gRPC client prints.

use std::sync::OnceLock;

use profiler_proto::{
    FILE_DESCRIPTOR_SET,
    v1::{
        DiffResponse, GetStatusResponse, ListConnectionsResponse, ListNodesResponse,
        ListOomKillsResponse, ListRangesResponse, ListResidentResponse, ListSeriesResponse,
        ListTargetsResponse, ListVerdictsResponse, TopResponse, VerdictChange,
    },
};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};

use crate::Error;

/// A message that can be printed.
pub trait Response: Message {
    /// Its full name.
    const NAME: &str;
}

impl Response for GetStatusResponse {
    const NAME: &str = "profiler.v1.GetStatusResponse";
}

impl Response for ListTargetsResponse {
    const NAME: &str = "profiler.v1.ListTargetsResponse";
}

impl Response for TopResponse {
    const NAME: &str = "profiler.v1.TopResponse";
}

impl Response for DiffResponse {
    const NAME: &str = "profiler.v1.DiffResponse";
}

impl Response for ListRangesResponse {
    const NAME: &str = "profiler.v1.ListRangesResponse";
}

impl Response for ListConnectionsResponse {
    const NAME: &str = "profiler.v1.ListConnectionsResponse";
}

impl Response for ListSeriesResponse {
    const NAME: &str = "profiler.v1.ListSeriesResponse";
}

impl Response for ListNodesResponse {
    const NAME: &str = "profiler.v1.ListNodesResponse";
}

impl Response for ListVerdictsResponse {
    const NAME: &str = "profiler.v1.ListVerdictsResponse";
}

impl Response for VerdictChange {
    const NAME: &str = "profiler.v1.VerdictChange";
}

impl Response for ListOomKillsResponse {
    const NAME: &str = "profiler.v1.ListOomKillsResponse";
}

impl Response for ListResidentResponse {
    const NAME: &str = "profiler.v1.ListResidentResponse";
}

/// The response as indented JSON, with a newline at the end.
pub fn to_text(response: &impl Response) -> Result<String, Error> {
    let text = mapped(response).and_then(|message| {
        serde_json::to_string_pretty(&message).map_err(|error| error.to_string())
    });
    text.map(|text| text + "\n").map_err(Error::Json)
}

/// The response as one line of JSON, with a newline at the end: for streams of them.
pub fn to_line(response: &impl Response) -> Result<String, Error> {
    let text = mapped(response)
        .and_then(|message| serde_json::to_string(&message).map_err(|error| error.to_string()));
    text.map(|text| text + "\n").map_err(Error::Json)
}

fn mapped<M: Response>(response: &M) -> Result<DynamicMessage, String> {
    static POOL: OnceLock<Option<DescriptorPool>> = OnceLock::new();
    let pool = POOL.get_or_init(|| DescriptorPool::decode(FILE_DESCRIPTOR_SET).ok());
    let descriptor = pool
        .as_ref()
        .and_then(|pool| pool.get_message_by_name(M::NAME))
        .ok_or_else(|| format!("no descriptor of {}", M::NAME))?;
    DynamicMessage::decode(descriptor, response.encode_to_vec().as_slice())
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use profiler_proto::v1::{GrowthRow, OwnerKind, Snapshot};

    use super::*;

    #[test]
    fn is_the_proto3_mapping() {
        let response = TopResponse {
            next_page_token: String::new(),
            rows: vec![GrowthRow {
                committed_live_bytes: 1 << 60,
                owner: OwnerKind::PreExisting.into(),
                ..GrowthRow::default()
            }],
            total_rows: 3,
            snapshot: Some(Snapshot {
                time: Some(pbjson_types::Timestamp {
                    seconds: 1_767_225_600,
                    nanos: 500_000_000,
                }),
                since: None,
            }),
            accounting: None,
        };
        let text = to_text(&response).unwrap();
        let expected = r#"{
  "rows": [
    {
      "committedLiveBytes": "1152921504606846976",
      "owner": "OWNER_KIND_PRE_EXISTING"
    }
  ],
  "totalRows": 3,
  "snapshot": {
    "time": "2026-01-01T00:00:00.500Z"
  }
}
"#;
        assert_eq!(text, expected);
        assert_eq!(
            serde_json::from_str::<TopResponse>(&text).unwrap(),
            response
        );
    }
}
