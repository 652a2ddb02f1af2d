import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { SOURCE } from '../rows.js'
import { tables } from './tables.js'

const table = tables({ v1: ['serverless.twilio.com/v1'], upload: ['serverless-upload.twilio.com/v1'] })

const CODE =
  'Functions run with the account’s credentials (IncludeCredentials is on by default), so whoever may change one may ' +
  'do everything past spendgate.'
const SECRETS = 'Variables hold the keys that functions use; who reads or sets them can use or redirect those services.'

/** Functions and Assets. */
export const serverless: readonly Operation[] = product({ source: SOURCE }, [
  ...table({ effect: 'credential', never: SECRETS, reveals: ['value'] })(`
    serverless.environments.variables.list GET v1/Services/{ServiceSid}/Environments/{EnvironmentSid}/Variables
    serverless.environments.variables.create POST v1/Services/{ServiceSid}/Environments/{EnvironmentSid}/Variables
    serverless.environments.variables.get GET v1/Services/{ServiceSid}/Environments/{EnvironmentSid}/Variables/{Sid}
    serverless.environments.variables.update POST v1/Services/{ServiceSid}/Environments/{EnvironmentSid}/Variables/{Sid}
  `),
  ...table({ effect: 'credential', never: CODE, repeats: ['AssetVersions', 'FunctionVersions'] })(`
    serverless.services.create POST v1/Services
    serverless.assets.create POST v1/Services/{ServiceSid}/Assets
    serverless.assets.update POST v1/Services/{ServiceSid}/Assets/{Sid}
    serverless.builds.create POST v1/Services/{ServiceSid}/Builds
    serverless.environments.create POST v1/Services/{ServiceSid}/Environments
    serverless.environments.deployments.create POST v1/Services/{ServiceSid}/Environments/{EnvironmentSid}/Deployments
    serverless.functions.create POST v1/Services/{ServiceSid}/Functions
    serverless.functions.update POST v1/Services/{ServiceSid}/Functions/{Sid}
    serverless.services.update POST v1/Services/{Sid}
    serverless.upload.assets.versions.create POST upload/Services/{ServiceSid}/Assets/{AssetSid}/Versions
    serverless.upload.functions.versions.create POST upload/Services/{ServiceSid}/Functions/{FunctionSid}/Versions
  `),
  ...table({ effect: 'destructive', why: 'What runs stops, and what is deleted does not come back.' })(`
    serverless.assets.delete DELETE v1/Services/{ServiceSid}/Assets/{Sid}
    serverless.builds.delete DELETE v1/Services/{ServiceSid}/Builds/{Sid}
    serverless.environments.variables.delete DELETE v1/Services/{ServiceSid}/Environments/{EnvironmentSid}/Variables/{Sid}
    serverless.environments.delete DELETE v1/Services/{ServiceSid}/Environments/{Sid}
    serverless.functions.delete DELETE v1/Services/{ServiceSid}/Functions/{Sid}
    serverless.services.delete DELETE v1/Services/{Sid}
  `),
  ...table({ effect: 'read', reveals: ['content'], why: 'The source code is taken out: it often holds keys.' })(`
    serverless.functions.versions.content.get GET v1/Services/{ServiceSid}/Functions/{FunctionSid}/Versions/{Sid}/Content
  `),
  ...table({ effect: 'read', people: true, why: 'Functions log what they handle.' })(`
    serverless.environments.logs.list GET v1/Services/{ServiceSid}/Environments/{EnvironmentSid}/Logs
    serverless.environments.logs.get GET v1/Services/{ServiceSid}/Environments/{EnvironmentSid}/Logs/{Sid}
  `),
  ...table({ effect: 'read' })(`
    serverless.services.list GET v1/Services
    serverless.assets.list GET v1/Services/{ServiceSid}/Assets
    serverless.assets.versions.list GET v1/Services/{ServiceSid}/Assets/{AssetSid}/Versions
    serverless.assets.versions.get GET v1/Services/{ServiceSid}/Assets/{AssetSid}/Versions/{Sid}
    serverless.assets.get GET v1/Services/{ServiceSid}/Assets/{Sid}
    serverless.builds.list GET v1/Services/{ServiceSid}/Builds
    serverless.builds.get GET v1/Services/{ServiceSid}/Builds/{Sid}
    serverless.builds.status.get GET v1/Services/{ServiceSid}/Builds/{Sid}/Status
    serverless.environments.list GET v1/Services/{ServiceSid}/Environments
    serverless.environments.deployments.list GET v1/Services/{ServiceSid}/Environments/{EnvironmentSid}/Deployments
    serverless.environments.deployments.get GET v1/Services/{ServiceSid}/Environments/{EnvironmentSid}/Deployments/{Sid}
    serverless.environments.get GET v1/Services/{ServiceSid}/Environments/{Sid}
    serverless.functions.list GET v1/Services/{ServiceSid}/Functions
    serverless.functions.versions.list GET v1/Services/{ServiceSid}/Functions/{FunctionSid}/Versions
    serverless.functions.versions.get GET v1/Services/{ServiceSid}/Functions/{FunctionSid}/Versions/{Sid}
    serverless.functions.get GET v1/Services/{ServiceSid}/Functions/{Sid}
    serverless.services.get GET v1/Services/{Sid}
  `),
])
