"""Owns credentials providers: where credentials come from."""

from __future__ import annotations

import weakref

from . import NativeResource, _awscrt
from ._auth_arguments import bootstrap_or_default, checked, encoded_path
from ._auth_credentials import AwsCredentials, from_binding
from ._futures import new_future, set_exception, set_result
from ._tls import ClientTlsContext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from typing import Any, Optional, Tuple

    from ._auth_arguments import StrPath
    from ._event_loop import ClientBootstrap
    from .http import HttpProxyOptions

MIN_STS_DURATION_SEC = 900
MAX_STS_DURATION_SEC = 43200
"""Limits of STS AssumeRole's DurationSeconds."""


class AwsCredentialsProviderBase(NativeResource):
    """Base of the objects that give credentials."""

    __slots__ = ()


class AwsCredentialsProvider(AwsCredentialsProviderBase):
    """A source of credentials. Make one with a `new_…` method.

    It may be used on many threads at a time, and be asked again and again.

    Args:
        binding: The native provider; the `new_…` methods have it.
    """

    _kept: object = None
    """What the native provider asks of Python's: the members of a chain, the function of a delegate."""

    def __init__(self, binding: object) -> None:
        super().__init__()
        self._binding = binding

    @classmethod
    def new_default_chain(cls, client_bootstrap: Optional[ClientBootstrap] = None) -> AwsCredentialsProvider:
        """What most AWS SDKs use when they are told nothing.

        In this order: environment variables; the profile of the config and credentials files; STS with a web identity;
        the container (ECS), or else the instance metadata of EC2 unless `AWS_EC2_METADATA_DISABLED` says `true`. What
        is found is kept for up to 15 minutes.

        Args:
            client_bootstrap: For connections; `None` takes the shared one.

        Raises:
            TypeError: `client_bootstrap` is of another type.
            RuntimeError: (an `AwsCrtError`) It cannot be made.
        """
        return cls(_awscrt.credentials_provider_new_default_chain(bootstrap_or_default(client_bootstrap)))

    @classmethod
    def new_static(
        cls, access_key_id: str, secret_access_key: str, session_token: Optional[str] = None
    ) -> AwsCredentialsProvider:
        """A provider of these credentials, which never expire.

        Raises:
            TypeError: An argument is of another type.
            ValueError: A key is empty, or a text has a CR, LF or NUL.
        """
        return cls(
            _awscrt.credentials_provider_new_static(
                access_key_id,
                secret_access_key,
                session_token,
            )
        )

    @classmethod
    def new_profile(
        cls,
        client_bootstrap: Optional[ClientBootstrap] = None,
        profile_name: Optional[str] = None,
        config_filepath: Optional[StrPath] = None,
        credentials_filepath: Optional[StrPath] = None,
    ) -> AwsCredentialsProvider:
        """A provider of what a profile in the shared files says, be it keys, a process, or a role to assume.

        Args:
            client_bootstrap: For connections, if the profile asks for a role; `None` takes the shared one.
            profile_name: `None` takes `AWS_PROFILE`, else `default`.
            config_filepath: `None` takes `AWS_CONFIG_FILE`, else `~/.aws/config`.
            credentials_filepath: `None` takes `AWS_SHARED_CREDENTIALS_FILE`, else `~/.aws/credentials`.

        Raises:
            TypeError: An argument is of another type.
            ValueError: A text has a CR, LF or NUL.
            RuntimeError: (an `AwsCrtError`) There is no such profile, or it makes no sense.
        """
        return cls(
            _awscrt.credentials_provider_new_profile(
                bootstrap_or_default(client_bootstrap),
                profile_name,
                encoded_path("config_filepath", config_filepath),
                encoded_path("credentials_filepath", credentials_filepath),
            )
        )

    @classmethod
    def new_process(cls, profile_to_use: Optional[str] = None) -> AwsCredentialsProvider:
        """A provider that runs the command which a profile names as `credential_process`.

        The profile is read from the config file (`AWS_CONFIG_FILE`, else `~/.aws/config`) when the provider is made.
        The command runs each time it is asked, while `get_credentials` has not returned; other threads go on.

        Args:
            profile_to_use: `None` takes `AWS_PROFILE`, else `default`.

        Raises:
            TypeError: `profile_to_use` is no `str`.
            ValueError: It has a CR, LF or NUL.
            RuntimeError: (an `AwsCrtError`) There is no such file, profile or command.
        """
        return cls(_awscrt.credentials_provider_new_process(profile_to_use))

    @classmethod
    def new_environment(cls) -> AwsCredentialsProvider:
        """A provider of `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, read when it is asked."""
        return cls(_awscrt.credentials_provider_new_environment())

    @classmethod
    def new_chain(cls, providers: Sequence[AwsCredentialsProviderBase]) -> AwsCredentialsProvider:
        """A provider that asks one after the other until one has credentials.

        Raises:
            TypeError: `providers` is no sequence of providers.
            ValueError: It is empty.
        """
        members = tuple(providers)
        if not members:
            raise ValueError("providers must not be empty")
        for member in members:
            checked("providers", member, AwsCredentialsProviderBase)
        provider = cls(_awscrt.credentials_provider_new_chain(members))
        provider._kept = members
        return provider

    @classmethod
    def new_delegate(cls, get_credentials: Callable[[], AwsCredentials]) -> AwsCredentialsProvider:
        """A provider that asks a function.

        Args:
            get_credentials: Called without arguments each time credentials are wanted, on whichever thread wants them;
                an event loop may be waiting, so it should be quick. What it raises is what the future of
                `AwsCredentialsProvider.get_credentials` and of `aws_sign_request` raises; other users of a provider
                see an error of theirs, and `sys.unraisablehook` gets what it raised. The function lives as long as the
                provider does.

        Raises:
            TypeError: `get_credentials` is not callable.
        """
        if not callable(get_credentials):
            raise TypeError(f"get_credentials must be callable, not {type(get_credentials).__name__}")
        delegate = _Delegate(get_credentials)
        provider = cls(_awscrt.credentials_provider_new_delegate(weakref.ref(delegate)))
        provider._kept = delegate
        return provider

    @classmethod
    def new_cognito(
        cls,
        *,
        endpoint: str,
        identity: str,
        tls_ctx: ClientTlsContext,
        logins: Optional[Sequence[Tuple[str, str]]] = None,
        custom_role_arn: Optional[str] = None,
        client_bootstrap: Optional[ClientBootstrap] = None,
        http_proxy_options: Optional[HttpProxyOptions] = None,
    ) -> AwsCredentialsProvider:
        """A provider that asks Amazon Cognito for the credentials of an identity (GetCredentialsForIdentity).

        It asks anew each time, and tries again where it meets a fault of the network.

        Args:
            endpoint: Host name of the service, such as `cognito-identity.us-east-1.amazonaws.com`; port 443.
            identity: The ID of the identity.
            tls_ctx: For the connection.
            logins: Pairs of the name of an identity provider and a token of it, for an authenticated identity.
            custom_role_arn: The role to assume where the token has several.
            client_bootstrap: For the connection; `None` takes the shared one.
            http_proxy_options: The proxy to go by; `None` for none.

        Raises:
            TypeError: An argument is of another type.
            ValueError: A text is empty, or has a CR, LF or NUL.
            RuntimeError: (an `AwsCrtError`) It cannot be made.
        """
        return cls(
            _awscrt.credentials_provider_new_cognito(
                endpoint,
                identity,
                custom_role_arn,
                tuple(map(tuple, logins or ())),
                checked("tls_ctx", tls_ctx, ClientTlsContext),
                bootstrap_or_default(client_bootstrap),
                http_proxy_options,
            )
        )

    @classmethod
    def new_x509(
        cls,
        *,
        endpoint: str,
        thing_name: str,
        role_alias: str,
        tls_ctx: ClientTlsContext,
        client_bootstrap: Optional[ClientBootstrap] = None,
        http_proxy_options: Optional[HttpProxyOptions] = None,
    ) -> AwsCredentialsProvider:
        """A provider that asks AWS IoT Core, by a device's own certificate, for temporary credentials.

        Args:
            endpoint: Host name of the account's credentials endpoint; port 443.
            thing_name: The device's name in IoT.
            role_alias: The alias of the role to assume.
            tls_ctx: With the device's certificate and private key.
            client_bootstrap: For the connection; `None` takes the shared one.
            http_proxy_options: The proxy to go by; `None` for none.

        Raises:
            TypeError: An argument is of another type.
            ValueError: A text is empty, or has a CR, LF or NUL.
            RuntimeError: (an `AwsCrtError`) It cannot be made.
        """
        return cls(
            _awscrt.credentials_provider_new_x509(
                endpoint,
                thing_name,
                role_alias,
                checked("tls_ctx", tls_ctx, ClientTlsContext),
                bootstrap_or_default(client_bootstrap),
                http_proxy_options,
            )
        )

    @classmethod
    def new_sts(
        cls,
        *,
        source: AwsCredentialsProviderBase,
        role_arn: str,
        session_name: str,
        tls_ctx: ClientTlsContext,
        external_id: Optional[str] = None,
        duration_sec: int = MIN_STS_DURATION_SEC,
        client_bootstrap: Optional[ClientBootstrap] = None,
        http_proxy_options: Optional[HttpProxyOptions] = None,
    ) -> AwsCredentialsProvider:
        """A provider that assumes a role by STS (AssumeRole), anew each time it is asked.

        The endpoint is that of the region which `AWS_REGION`, `AWS_DEFAULT_REGION` or the profile of the config file
        names, else the global one; `AWS_ENDPOINT_URL_STS` overrides it.

        Args:
            source: Whose credentials sign the request. It is kept alive, and this provider's memory with it.
            role_arn: The ARN of the role.
            session_name: The name of the session.
            tls_ctx: For the connection.
            external_id: What the role's owner wants to hear, if anything.
            duration_sec: Seconds until the credentials expire, 900 to 43200.
            client_bootstrap: For the connection; `None` takes the shared one.
            http_proxy_options: The proxy to go by; `None` for none.

        Raises:
            TypeError: An argument is of another type.
            ValueError: A text is empty, or has a CR, LF or NUL; the duration is out of range.
            RuntimeError: (an `AwsCrtError`) It cannot be made.
        """
        checked("source", source, AwsCredentialsProviderBase)
        if not MIN_STS_DURATION_SEC <= duration_sec <= MAX_STS_DURATION_SEC:
            raise ValueError(
                f"duration_sec must be from {MIN_STS_DURATION_SEC} to {MAX_STS_DURATION_SEC}, not {duration_sec}"
            )
        provider = cls(
            _awscrt.credentials_provider_new_sts(
                role_arn,
                session_name,
                external_id,
                source,
                duration_sec,
                checked("tls_ctx", tls_ctx, ClientTlsContext),
                bootstrap_or_default(client_bootstrap),
                http_proxy_options,
            )
        )
        provider._kept = source
        return provider

    @classmethod
    def new_sts_web_identity(
        cls,
        *,
        tls_ctx: ClientTlsContext,
        role_arn: Optional[str] = None,
        session_name: Optional[str] = None,
        token_filepath: Optional[StrPath] = None,
        region: Optional[str] = None,
        profile_name: Optional[str] = None,
        client_bootstrap: Optional[ClientBootstrap] = None,
    ) -> AwsCredentialsProvider:
        """A provider that assumes a role by STS with a token of an identity provider (AssumeRoleWithWebIdentity).

        What is not given is taken from the environment, else from the profile of the config file.

        Args:
            tls_ctx: For the connection.
            role_arn: `None` takes `AWS_ROLE_ARN`, else the profile's `role_arn`.
            session_name: `None` takes `AWS_ROLE_SESSION_NAME`, else the profile's `role_session_name`, else a new UUID.
            token_filepath: The file of the token, read each time; `None` takes `AWS_WEB_IDENTITY_TOKEN_FILE`, else the
                profile's `web_identity_token_file`.
            region: `None` takes `AWS_REGION`, `AWS_DEFAULT_REGION`, else the profile's `region`.
            profile_name: `None` takes `AWS_PROFILE`, else `default`.
            client_bootstrap: For the connection; `None` takes the shared one.

        Raises:
            TypeError: An argument is of another type.
            ValueError: A text has a CR, LF or NUL.
            RuntimeError: (an `AwsCrtError`) What is needed is found nowhere.
        """
        return cls(
            _awscrt.credentials_provider_new_sts_web_identity(
                role_arn,
                session_name,
                region,
                profile_name,
                encoded_path("token_filepath", token_filepath),
                checked("tls_ctx", tls_ctx, ClientTlsContext),
                bootstrap_or_default(client_bootstrap),
            )
        )

    def get_credentials(self) -> Future[AwsCredentials]:
        """Ask for credentials.

        Returns:
            A future of `AwsCredentials`. It may be done already, or be completed by a native thread. Its exception is
            an `AwsCrtError` that says what failed, or what the function of a delegate raised.

        Raises:
            RuntimeError: (an `AwsCrtError`) Asking failed at once.
        """
        future = new_future()
        _awscrt.credentials_provider_get_credentials(self, _settle, future)
        return future


class _Delegate:
    """Holds the function of a delegate, which may itself not be weakly referred to."""

    __slots__ = ("__weakref__", "get_credentials")

    def __init__(self, get_credentials: Callable[[], AwsCredentials]) -> None:
        self.get_credentials = get_credentials


def _settle(future: Future[Any], error: Optional[BaseException], binding: object) -> None:
    if error is None:
        set_result(future, from_binding(binding))
    else:
        set_exception(future, error)


for _class in (AwsCredentialsProviderBase, AwsCredentialsProvider):
    _class.__module__ = "awscrt.auth"
