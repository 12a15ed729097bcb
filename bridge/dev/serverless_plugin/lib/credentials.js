'use strict';

// The framework's own credentials, as environment variables: of its `provider.profile`, `--aws-profile`, and the rest.

/** @returns {Promise<Object<string, string>>} nothing if there are none, so that boto3 looks by itself and says it */
async function credentials(provider) {
  let found = null;
  try {
    if (provider.getAwsSdkV3CredentialsProvider) {
      found = await provider.getAwsSdkV3CredentialsProvider()(); // osls 4
    } else {
      found = provider.getCredentials().credentials; // Serverless 3: of the AWS SDK's second edition
      if (found && found.getPromise) await found.getPromise();
    }
  } catch (problem) {
    return {};
  }
  if (!found || !found.accessKeyId) return {};
  return {
    AWS_ACCESS_KEY_ID: found.accessKeyId,
    AWS_SECRET_ACCESS_KEY: found.secretAccessKey,
    AWS_SESSION_TOKEN: found.sessionToken || '',
  };
}

module.exports = { credentials };
