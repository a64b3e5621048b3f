//! The calls about monitoring: Application Insights, its workspace, and the activity log.

use azure_core::http::Method;

use super::Api;

const INSIGHTS: &str = "Microsoft.Insights";
const OPERATIONAL_INSIGHTS: &str = "Microsoft.OperationalInsights";

/// "Components - List": the subscription's Application Insights components.
pub const COMPONENTS: Api = Api {
    what: "listing the Application Insights components",
    method: Method::Get,
    template: "/subscriptions/{id}/providers/Microsoft.Insights/components",
    version: "2020-02-02",
    action: Some("Microsoft.Insights/components/read"),
    provider: INSIGHTS,
};

/// "Query - Execute" through Resource Manager ("Azure Monitor Log Analytics API request format").
pub const LOGS: Api = Api {
    what: "querying the workspace",
    method: Method::Post,
    template: "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.OperationalInsights/workspaces/{name}\
               /query",
    version: "2017-10-01",
    action: Some("Microsoft.OperationalInsights/workspaces/query/read"),
    provider: OPERATIONAL_INSIGHTS,
};

/// "Activity Logs - List": the management events of a subscription, of the last 90 days. "Azure resource provider
/// operations" has its action as `Microsoft.Insights/eventtypes/values/Read`.
pub const ACTIVITY_LOG: Api = Api {
    what: "reading the activity log",
    template: "/subscriptions/{id}/providers/Microsoft.Insights/eventtypes/management/values",
    version: "2015-04-01",
    action: Some("Microsoft.Insights/eventtypes/values/read"),
    ..COMPONENTS
};
