"""The pages about a code, wired: the steps, then the pages."""

from aiohttp import web

from deviceflow.pages.challenges import Challenges
from deviceflow.pages.device.approval_check import ApprovalCheck
from deviceflow.pages.device.claim import ClaimStep
from deviceflow.pages.device.code_form import CodeForm
from deviceflow.pages.device.confirm import ConfirmPage
from deviceflow.pages.device.decide import DecideStep
from deviceflow.pages.device.done import DonePage
from deviceflow.pages.device.enter import EnterPage
from deviceflow.pages.device.far import FarStep
from deviceflow.pages.device.origin import Origins
from deviceflow.pages.device.proof import ProofPage
from deviceflow.pages.device.proofs import Proofs
from deviceflow.pages.device.refusals import Refusals
from deviceflow.pages.device.report import ReportStep
from deviceflow.pages.device.sent import SentPage
from deviceflow.pages.device.step_up import StepUpPage
from deviceflow.pages.device.submission import DeviceRequests
from deviceflow.pages.device.submit import SubmitStep
from deviceflow.pages.device.switch import SwitchStep
from deviceflow.pages.shared import SharedParts
from deviceflow.parts import Parts
from deviceflow.policy.phishing import CodeLinks


def device_routes(parts: Parts, shared: SharedParts) -> list[web.RouteDef]:
    """Wire the steps, then the pages."""
    visitors, codes, throttle = shared.visitors, shared.codes, shared.throttle
    grants = parts.grants
    requests = DeviceRequests(
        codes=codes,
        clients=parts.clients,
        grants=grants,
        enabled_by_default=parts.settings.device.enabled_by_default,
    )
    refusals = Refusals(seal=shared.seal, codes=codes, recorder=parts.recorder, audit=parts.audit)
    origins = Origins(server=parts.settings.server, places=parts.places)
    check = ApprovalCheck(settings=parts.settings, origins=origins, clock=parts.clock)
    far = FarStep(
        grants=grants,
        requests=requests,
        refusals=refusals,
        recorder=parts.recorder,
        audit=parts.audit,
    )
    claim = ClaimStep(
        throttle=throttle,
        grants=grants,
        requests=requests,
        refusals=refusals,
        check=check,
        far=far,
        audit=parts.audit,
    )
    decide = DecideStep(
        throttle=throttle,
        grants=grants,
        requests=requests,
        claim=claim,
        refusals=refusals,
        recorder=parts.recorder,
        check=check,
        far=far,
        audit=parts.audit,
    )
    switch = SwitchStep(
        grants=grants,
        sessions=parts.sessions,
        cookie=shared.cookie,
        requests=requests,
        audit=parts.audit,
    )
    report = ReportStep(
        reports=parts.reports,
        requests=requests,
        grants=grants,
        decide=decide,
        recorder=parts.recorder,
        audit=parts.audit,
    )
    proofs = Proofs(
        challenges=Challenges(
            keys=parts.installation.challenge_keys,
            replay=parts.replay,
            clock=parts.clock,
            kind="proof",
        ),
        bits=parts.settings.device.wave_proof_bits,
        recorder=parts.recorder,
    )
    proof = ProofPage(visitors=visitors, codes=codes, pauses=shared.pauses, proofs=proofs)
    step = SubmitStep(
        visitors=visitors,
        codes=codes,
        pauses=shared.pauses,
        proofs=proofs,
        claim=claim,
        decide=decide,
        switch=switch,
        report=report,
    )
    enter = EnterPage(
        visitors=visitors,
        codes=codes,
        refusals=refusals,
        pauses=shared.pauses,
        form=CodeForm(
            visitors=visitors,
            codes=codes,
            grants=grants,
            lifetime_s=parts.settings.device.lifetime_s,
        ),
        links=CodeLinks(settings=parts.settings, clients=parts.clients),
        step=step,
    )
    done = DonePage(
        visitors=visitors,
        codes=codes,
        requests=requests,
        refusals=refusals,
        devices=parts.devices,
        scopes=parts.settings.scopes,
        clock=parts.clock,
    )
    confirm = ConfirmPage(
        settings=parts.settings,
        visitors=visitors,
        codes=codes,
        requests=requests,
        done=done,
        clock=parts.clock,
        step=step,
        check=check,
    )
    step_up = StepUpPage(
        visitors=visitors,
        codes=codes,
        requests=requests,
        check=check,
        ways=shared.ways,
        factors=parts.factors,
        audit=parts.audit,
    )
    sent = SentPage(visitors=visitors, codes=codes)
    pages = (enter, proof, confirm, step_up, done, sent)
    return [route for page in pages for route in page.routes()]
