"""The tables of the management calls (运维管理): merchants, their people, WeChat's settings, pay boxes.

What a registration brings besides the common fields the vendor tells on request only; `MCH_REG` therefore checks those
and no more, and `registration` reads the rest.
"""

from __future__ import annotations

from typing import Final

from anytill.dialects.chaoying.fields import (
    APPID,
    BOX_ID,
    COMMON,
    JS_CODE,
    JSAPI_PATH,
    MCH_ID,
    MOBILE,
    PASSCODE,
    PASSWORD,
    TOKEN,
    USERNAME,
)
from anytill.wire.fields import Form, may, need

MCH_REG_PATH: Final = "/UnifiedPay/Mch_Reg"
SMS_PATH: Final = "/Mch/GetMchSMSValid"
MCH_ID_PATH: Final = "/Mch/GetMchId"
PARTNER_PATH: Final = "/Open/GetPartnerId"
MCH_INFO_PATH: Final = "/Open/GetMchInfo"
SESSION_PATH: Final = "/Open/WXA_Code2Session"
WX_CONFIG_PATH: Final = "/open/wx_addsubdevconfig"
POST_PATHS: Final = (
    MCH_REG_PATH,
    SMS_PATH,
    MCH_ID_PATH,
    PARTNER_PATH,
    MCH_INFO_PATH,
    SESSION_PATH,
    WX_CONFIG_PATH,
)
BOX_PATH: Final = "/Mch/PayBoxConfGet"
#: What the merchant's QR sign holds: the merchant's number follows.
QR_PATH: Final = "/qrpay/"
#: What a pay box says it is, in the header User-Agent.
BOX_AGENT: Final = "CySoftPayBox"

MCH_REG: Final = Form(COMMON)
GETMCHSMSVALID: Final = Form((*COMMON, need("mobile", MOBILE)))
#: One pair or the other: `management`.
GETMCHID: Final = Form(
    (*COMMON, may("mobile", MOBILE), may("valid", PASSCODE), may("username", USERNAME), may("password", PASSWORD))
)
GETPARTNERID: Final = Form((*COMMON, need("mch_id", MCH_ID)))
GETMCHINFO: Final = Form((*COMMON, need("mch_id", MCH_ID)))
WXA_CODE2SESSION: Final = Form((*COMMON, need("appid", APPID), need("js_code", JS_CODE)))
WX_ADDSUBDEVCONFIG: Final = Form(
    (
        *COMMON,
        need("mch_id", MCH_ID),
        may("appid", APPID),
        may("jsapi_path", JSAPI_PATH),
        may("subscribe_appid", APPID),
        may("receipt_appid", APPID),
    )
)
PAYBOXCONFGET: Final = Form((*COMMON, need("device_info", TOKEN), need("op_device_id", BOX_ID)))
#: The last three come from the sign itself, where it has them; `code_number` is of later versions of the document.
QRPAY: Final = Form(
    (
        *COMMON,
        need("device_info", TOKEN),
        need("op_device_id", BOX_ID),
        may("op_shop_id", TOKEN),
        may("op_user_id", TOKEN),
        may("code_number", MCH_ID),
    )
)

FORMS: Final = (
    MCH_REG,
    GETMCHSMSVALID,
    GETMCHID,
    GETPARTNERID,
    GETMCHINFO,
    WXA_CODE2SESSION,
    WX_ADDSUBDEVCONFIG,
    PAYBOXCONFGET,
    QRPAY,
)
