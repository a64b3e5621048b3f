//! The Azure clouds, and where Azure Resource Manager, Azure Monitor and Microsoft Entra ID are in each.

use azure_core::cloud::CloudConfiguration;

/// An Azure cloud.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cloud {
    pub(super) arm_endpoint: &'static str,
    pub(super) arm_audience: &'static str,
    /// The portal ("Azure Government: compare with global Azure", "Azure China: developer guide").
    pub(super) portal: &'static str,
    /// The audience of a token that sends telemetry to Azure Monitor ("Logs Ingestion API in Azure Monitor").
    pub(super) monitor_audience: &'static str,
    /// The cloud's Microsoft Entra ID. None is the public one, or that of `AZURE_AUTHORITY_HOST`.
    pub(super) authority: Option<CloudConfiguration>,
}

/// Each with the name that Microsoft's tools give it.
pub(super) const CLOUDS: [(&str, &Cloud); 3] =
    [("AzurePublic", PUBLIC), ("AzureUSGovernment", US_GOVERNMENT), ("AzureChina", CHINA)];

pub(super) const PUBLIC: &Cloud = &Cloud {
    arm_endpoint: "https://management.azure.com",
    arm_audience: "https://management.azure.com/",
    portal: "https://portal.azure.com",
    monitor_audience: "https://monitor.azure.com",
    authority: None,
};

const US_GOVERNMENT: &Cloud = &Cloud {
    arm_endpoint: "https://management.usgovcloudapi.net",
    arm_audience: "https://management.core.usgovcloudapi.net/",
    portal: "https://portal.azure.us",
    monitor_audience: "https://monitor.azure.us",
    authority: Some(CloudConfiguration::AzureGovernment),
};

/// Operated by 21Vianet.
const CHINA: &Cloud = &Cloud {
    arm_endpoint: "https://management.chinacloudapi.cn",
    arm_audience: "https://management.chinacloudapi.cn/",
    portal: "https://portal.azure.cn",
    monitor_audience: "https://monitor.azure.cn",
    authority: Some(CloudConfiguration::AzureChina),
};
