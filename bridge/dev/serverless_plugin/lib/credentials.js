'use strict';

// The AWS credentials of the framework: of `provider.profile`, `--aws-profile`, the environment and so on.

/**
 * @param {object} provider the framework's provider for AWS
 * @returns {Promise<Object<string, string>>} environment variables; none if the framework has no credentials, so that
 *   boto3 searches for them and reports the failure
 */
async function credentials(provider) {
  let identity;
  try {
    if (provider.getAwsSdkV3CredentialsProvider) {
      identity = await provider.getAwsSdkV3CredentialsProvider()(); // osls 4
    } else {
      identity = provider.getCredentials().credentials; // Serverless 3, with version 2 of the AWS SDK
      await identity?.getPromise?.();
    }
  } catch {
    return {};
  }
  if (!identity?.accessKeyId) return {};
  return {
    AWS_ACCESS_KEY_ID: identity.accessKeyId,
    AWS_SECRET_ACCESS_KEY: identity.secretAccessKey,
    AWS_SESSION_TOKEN: identity.sessionToken || '',
  };
}

module.exports = { credentials };
