// The code, deployed by Resource Manager: One Deploy fetches the package and puts it into the app's deployment container.

param appName string

@description('Public HTTPS address of the package.')
param packageUri string

resource app 'Microsoft.Web/sites@2024-11-01' existing = {
  name: appName
}

resource package 'Microsoft.Web/sites/extensions@2024-11-01' = {
  parent: app
  name: 'onedeploy'
  // The published type is that of MSDeploy, another extension.
  #disable-next-line BCP187
  properties: {
    packageUri: packageUri
    remoteBuild: false
  }
}
