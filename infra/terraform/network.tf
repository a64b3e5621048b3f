# A virtual network through which the app reaches its storage by private endpoints only.

locals {
  # With a network that exists, its owner has the zones and their links.
  makes_network      = var.private_network && var.function_subnet_id == ""
  function_subnet_id = local.makes_network ? azurerm_subnet.function[0].id : var.function_subnet_id
  endpoint_subnet_id = local.makes_network ? azurerm_subnet.endpoints[0].id : var.endpoint_subnet_id
  zones              = local.makes_network ? local.services : toset([])

  services = var.private_network ? toset(["blob", "queue", "table"]) : toset([])
}

resource "azurerm_network_security_group" "this" {
  count               = local.makes_network ? 1 : 0
  name                = "nsg-${var.name}"
  location            = azurerm_resource_group.this.location
  resource_group_name = azurerm_resource_group.this.name
  tags                = local.tags

  security_rule {
    name                       = "DenyInternetInbound"
    access                     = "Deny"
    direction                  = "Inbound"
    priority                   = 4000
    protocol                   = "*"
    source_address_prefix      = "Internet"
    source_port_range          = "*"
    destination_address_prefix = "*"
    destination_port_range     = "*"
  }
}

resource "azurerm_virtual_network" "this" {
  count               = local.makes_network ? 1 : 0
  name                = "vnet-${var.name}"
  location            = azurerm_resource_group.this.location
  resource_group_name = azurerm_resource_group.this.name
  address_space       = [var.network_prefix]
  tags                = local.tags
}

resource "azurerm_subnet" "function" {
  count                = local.makes_network ? 1 : 0
  name                 = "function"
  resource_group_name  = azurerm_resource_group.this.name
  virtual_network_name = azurerm_virtual_network.this[0].name
  address_prefixes     = [cidrsubnet(var.network_prefix, 1, 0)]

  # Flex Consumption runs on the platform of Container Apps.
  delegation {
    name = "flex-consumption"
    service_delegation {
      name    = "Microsoft.App/environments"
      actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
    }
  }
}

resource "azurerm_subnet" "endpoints" {
  count                             = local.makes_network ? 1 : 0
  name                              = "endpoints"
  resource_group_name               = azurerm_resource_group.this.name
  virtual_network_name              = azurerm_virtual_network.this[0].name
  address_prefixes                  = [cidrsubnet(var.network_prefix, 1, 1)]
  private_endpoint_network_policies = "Enabled"
}

resource "azurerm_subnet_network_security_group_association" "this" {
  for_each                  = local.makes_network ? { function = azurerm_subnet.function[0].id, endpoints = azurerm_subnet.endpoints[0].id } : {}
  subnet_id                 = each.value
  network_security_group_id = azurerm_network_security_group.this[0].id
}

resource "azurerm_private_dns_zone" "this" {
  for_each            = local.zones
  name                = "privatelink.${each.key}.${local.clouds[var.cloud].storage}"
  resource_group_name = azurerm_resource_group.this.name
  tags                = local.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "this" {
  for_each              = local.zones
  name                  = "link-${var.name}"
  resource_group_name   = azurerm_resource_group.this.name
  private_dns_zone_name = azurerm_private_dns_zone.this[each.key].name
  virtual_network_id    = azurerm_virtual_network.this[0].id
  tags                  = local.tags
}

resource "azurerm_private_endpoint" "this" {
  for_each            = local.services
  name                = "pe-${var.name}-${each.key}"
  location            = azurerm_resource_group.this.location
  resource_group_name = azurerm_resource_group.this.name
  subnet_id           = local.endpoint_subnet_id
  tags                = local.tags

  private_service_connection {
    name                           = each.key
    private_connection_resource_id = azurerm_storage_account.this.id
    subresource_names              = [each.key]
    is_manual_connection           = false
  }

  dynamic "private_dns_zone_group" {
    for_each = local.makes_network ? [azurerm_private_dns_zone.this[each.key].id] : []
    content {
      name                 = "default"
      private_dns_zone_ids = [private_dns_zone_group.value]
    }
  }
}
